import { assertEquals, assertThrows } from "@std/assert";
import { DONE_MARKS } from "../../core/limits.ts";
import { DoneMarks } from "./done_marks.ts";

const mark = (number: number) => number.toString(16).padStart(64, "0");

function inFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-marks-" });
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("DoneMarks knows after a restart what was done before it", () => {
  inFolder((folder) => {
    const nowS = Math.floor(Date.now() / 1000);
    const first = new DoneMarks(folder, true);
    assertEquals(first.look(mark(1), nowS), "new");
    first.add(mark(1), nowS);
    const second = new DoneMarks(folder, false);
    assertEquals([second.look(mark(1), nowS), second.look(mark(2), nowS)], ["done", "new"]);
  });
});

Deno.test("DoneMarks without its file takes only what was signed after the start", () => {
  inFolder((folder) => {
    const nowS = Math.floor(Date.now() / 1000);
    for (const text of [null, "", "[{]", '[{"mark":"x","unixS":1}]']) {
      if (text !== null) Deno.writeTextFileSync(`${folder}/requests.done`, text);
      const marks = new DoneMarks(folder, false);
      assertEquals([marks.look(mark(1), nowS), marks.look(mark(1), nowS + 5)], ["unknown", "new"]);
    }
  });
});

Deno.test("DoneMarks refuses more than it can remember, and what it cannot write", () => {
  inFolder((folder) => {
    const nowS = Math.floor(Date.now() / 1000);
    const many = Array.from({ length: DONE_MARKS }, (_, at) => ({ mark: mark(at), unixS: nowS }));
    Deno.writeTextFileSync(`${folder}/requests.done`, JSON.stringify(many));
    const marks = new DoneMarks(folder, false);
    assertThrows(() => marks.add(mark(DONE_MARKS), nowS), Error, "within a minute");
    const old = many.map((each) => ({ ...each, unixS: nowS - 100 }));
    Deno.writeTextFileSync(`${folder}/requests.done`, JSON.stringify(old));
    new DoneMarks(folder, false).add(mark(DONE_MARKS), nowS);
    Deno.mkdirSync(`${folder}/requests.done.new`);
    assertThrows(() => marks.add(mark(1), nowS), Error, "");
  });
});
