// Commands that tell apps to do something without a new manifest: signed, sent, said.

import { Failure } from "../core/errors.ts";
import type { AppView } from "../core/view.ts";
import type { Arguments } from "./arguments.ts";
import { type Context, DONE, FAILED } from "./command.ts";
import { commanding } from "./commanding.ts";
import type { Conductor } from "./conductor.ts";
import type { IdCommand } from "./doubt.ts";
import { follow, type Judged } from "./follow.ts";
import type { Output } from "./output.ts";
import { progress } from "./render/progress.ts";
import { commandId } from "./send.ts";
import { restartVerdict, whyLate } from "./verdict.ts";

/** One reply takes no longer than this where `--timeout` bounds the whole of a restart, ms. */
const REPLY_MS = 5_000;
/** Longest a restart is waited for where `--timeout` says nothing. */
const RESTART_MS = 600_000;
const APP = /^[a-z][a-z0-9-]{0,62}$/;

/** What one app is told: the command without its id. */
export type Telling = Extract<
  IdCommand,
  { verb: "STOP" | "START" | "RESTART" | "SCALE" | "PAUSE" | "RESUME" }
> extends infer C ? C extends unknown ? Omit<C, "id"> : never : never;

/** Checks that words are names of apps. */
export function appNames(words: readonly string[]): readonly string[] {
  for (const word of words) {
    if (!APP.test(word)) throw new Failure("usage", `${word} is not the name of an app`);
  }
  return [...new Set(words)];
}

/**
 * Tells apps what to do, one after another. What one refuses is said, and the others are told.
 *
 * @param past what has been done to it: `stopped`.
 */
export async function tell(
  { arguments: args, output }: Context,
  tellings: readonly Telling[],
  past: string,
): Promise<number> {
  const { conductor, reply: replyTo, refusal } = await commanding(args, REPLY_MS);
  const results: { app: string; ok: boolean; reason?: string }[] = [];
  const wait = args.has("wait");
  for (const telling of tellings) {
    const { app } = telling;
    const reply = await replyTo({ ...telling, id: commandId() } as IdCommand);
    const known = reply.ok || reply.code === "STATE" || reply.code.startsWith("not found");
    if (!known) throw refusal(reply);
    if (!reply.ok) {
      const reason = reply.code === "STATE"
        ? reply.text.slice("STATE|".length)
        : `no app is named ${app}; skr8tr list shows what runs`;
      results.push({ app, ok: false, reason });
      continue;
    }
    const judged = wait ? await waitFor(conductor, app, args, output) : null;
    results.push(
      judged?.result === "failed"
        ? { app, ok: false, reason: sayJudged(judged) }
        : { app, ok: true },
    );
  }
  if (args.has("json")) output.print(JSON.stringify({ apps: results }));
  else {
    for (const { app, ok, reason } of results) {
      if (ok) output.print(`${app} ${past}`);
      else output.note(`${output.notePaint.bad("error:")} ${reason}`);
    }
  }
  return results.every((each) => each.ok) ? DONE : FAILED;
}

async function waitFor(
  conductor: Conductor,
  app: string,
  args: Arguments,
  output: Output,
): Promise<Judged> {
  const shown = args.has("json") ? null : progress(output);
  const judged = await follow({
    conductor,
    app,
    untilMs: performance.now() + args.durationMs("timeout", RESTART_MS),
    judge: restartVerdict,
    late: (view: AppView | undefined) => whyLate(view, view?.generation ?? 0),
    onView: (view) => shown?.update(view),
  });
  shown?.end();
  return judged;
}

function sayJudged({ reason, replica, node, lines = [] }: Judged): string {
  const where = replica === undefined ? "" : `${replica} on ${node}: `;
  return [`${where}${reason}`, ...lines.map((line) => `  | ${line}`)].join("\n");
}
