import { Failure } from "../../core/errors.ts";
import { LOG_RING_LINES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { harmless } from "../output.ts";
import { mayBePlain, targetOf } from "../target.ts";
import { askUdp } from "../udp.ts";

const LINES = 100;

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const app = args.positional[0]!;
  const lines = args.integer("lines", 0, LOG_RING_LINES, LINES);
  const follow = args.has("follow") ? "&follow=1" : "";
  const run = args.value("run") === undefined
    ? ""
    : `&run=${args.integer("run", 1, Number.MAX_SAFE_INTEGER, 1)}`;
  const path = `/api/logs/${encodeURIComponent(app)}?lines=${lines}${run}${follow}`;
  try {
    for await (const log of conductorAt(target.conductor, target.timeoutMs).lines<LogView>(path)) {
      if (args.has("json")) output.print(JSON.stringify(log));
      else {
        const { paint } = output;
        const replica = log.stream === "stderr"
          ? paint.warn(log.replica)
          : paint.faint(log.replica);
        output.print(`${replica} ${shown(log.line, context)}`);
      }
    }
    return DONE;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "unreachable" || follow) throw error;
    if (!mayBePlain(target.conductor)) throw error;
    const reply = await askUdp(target.conductor, `LOGS|${app}`, {
      timeoutMs: target.timeoutMs,
      repeat: true,
    });
    if (reply === null) throw error;
    return printV1Logs(reply, context);
  }
}

/** A terminal gets no control sequences of programs; a file or a pipe gets the line as it was. */
function shown(line: string, { output }: Context): string {
  return output.columns === Infinity ? line : harmless(line);
}

/** Prints `OK|LOGS|<app>|<lines>|<text>`. */
function printV1Logs(reply: string, context: Context): number {
  const [status, verb, app = "", , ...text] = reply.split("|");
  if (status !== "OK" || verb !== "LOGS") {
    throw new Failure("refused", `the conductor refused: ${reply.slice(0, 200)}`);
  }
  const { arguments: args, output } = context;
  for (const line of text.join("|").split("\n").filter((each) => each !== "")) {
    output.print(args.has("json") ? JSON.stringify({ app, line }) : shown(line, context));
  }
  return DONE;
}
