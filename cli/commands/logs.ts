import { Failure } from "../../core/errors.ts";
import { LOG_RING_LINES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { harmless } from "../output.ts";
import { mayBePlain, targetOf } from "../target.ts";
import { askUdp } from "../udp.ts";

const LINES = 100;

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const target = targetOf(args);
  const app = args.positional[0];
  if (app === undefined && !args.has("all")) {
    throw new Failure("usage", "skr8tr logs needs an app, or --all");
  }
  if (app === undefined || args.has("all") || args.has("previous")) return await gathered(context);
  const lines = args.integer("lines", 0, LOG_RING_LINES, LINES);
  const sought = new Sought(args);
  const follow = args.has("follow") ? `&follow=1&last=${lines}${sought.query}` : "";
  const run = args.value("run") === undefined
    ? ""
    : `&run=${args.integer("run", 1, Number.MAX_SAFE_INTEGER, 1)}`;
  const count = sought.isAny ? lines : LOG_RING_LINES;
  const path = `/api/logs/${encodeURIComponent(app)}?lines=${count}${run}${follow}`;
  const print = (log: LogView) => printLine(log, context);
  try {
    // Of what is there already the last that match are wanted; what comes is shown as it comes.
    const past: LogView[] = [];
    const conductor = conductorAt(target.conductor, target.timeoutMs);
    for await (const log of conductor.lines<LogView>(path)) {
      if (!sought.has(log)) continue;
      if (follow !== "") print(log);
      else past.push(log);
    }
    // These come replica by replica; those that are followed come merged.
    const inTime = past.toSorted((a, b) => a.wallMs - b.wallMs);
    inTime.slice(Math.max(0, inTime.length - lines)).forEach(print);
    return DONE;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "unreachable" || follow) throw error;
    if (!mayBePlain(target.conductor)) throw error;
    if (!sought.isAny) throw error;
    const reply = await askUdp(target.conductor, `LOGS|${app}`, {
      timeoutMs: target.timeoutMs,
      repeat: true,
    });
    if (reply === null) throw error;
    return printV1Logs(reply, context);
  }
}

/** What `--since` and `--grep` ask for. */
class Sought {
  readonly #sinceWallMs: number;
  readonly #text: string;

  constructor(args: Arguments) {
    const sinceMs = args.durationMs("since", Infinity);
    this.#sinceWallMs = Date.now() - sinceMs;
    this.#text = args.value("grep") ?? "";
  }

  /** The same for the conductor, so that it counts only these; an older one sends them all. */
  get query(): string {
    const since = this.#sinceWallMs === -Infinity ? "" : `&since=${Date.now() - this.#sinceWallMs}`;
    return (this.#text === "" ? "" : `&grep=${encodeURIComponent(this.#text)}`) + since;
  }

  /** Nothing in particular is asked for. */
  get isAny(): boolean {
    return this.#text === "" && this.#sinceWallMs === -Infinity;
  }

  has({ wallMs, line }: LogView): boolean {
    return wallMs >= this.#sinceWallMs && line.includes(this.#text);
  }
}

/** Searches what the conductor gathers. */
async function gathered(context: Context): Promise<number> {
  const { arguments: args } = context;
  const [app] = args.positional;
  const target = targetOf(args);
  const sinceMs = args.durationMs("since", Infinity);
  const grep = args.value("grep");
  const query = new URLSearchParams({
    lines: String(args.integer("lines", 0, 10_000, LINES)),
    ...(app === undefined ? {} : { app }),
    ...(grep === undefined ? {} : { grep }),
    ...(sinceMs === Infinity ? {} : { since: String(sinceMs) }),
    ...(args.has("follow") ? { follow: "1" } : {}),
  });
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  for await (const log of conductor.lines<LogView>(`/api/telemetry?${query}`)) {
    printLine(log, context);
  }
  return DONE;
}

function printLine(log: LogView, context: Context): void {
  const { arguments: args, output } = context;
  if (args.has("json")) output.print(JSON.stringify(log));
  else {
    const { paint } = output;
    const replica = log.stream === "stderr" ? paint.warn(log.replica) : paint.faint(log.replica);
    output.print(`${replica} ${shown(log.line, context)}`);
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
