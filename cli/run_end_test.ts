import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../core/errors.ts";
import type { AppView } from "../core/view.ts";
import { runOf } from "./run_end.ts";

/** A conductor that is away for so many questions. */
function awayFor(questions: number) {
  const view = {
    runs: [
      { run: 4, why: "apply", generation: 1 },
      { run: 5, why: "apply", generation: 2 },
      { run: 6, why: "command", generation: 2 },
    ],
  } as unknown as AppView;
  return {
    get<T>(): Promise<T> {
      if (questions-- > 0) return Promise.reject(new Failure("unreachable", "it is away"));
      return Promise.resolve(view as T);
    },
  };
}

Deno.test("runOf() finds the run that a generation began, though the conductor dies in between", async () => {
  assertEquals(await runOf(awayFor(2), "backup", 2, Infinity), 5);
  assertEquals(await runOf(awayFor(0), "backup", 3, 0), null);
  await assertRejects(() => runOf(awayFor(2), "backup", 2, 0), Failure, "it is away");
});
