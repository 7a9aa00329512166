// An app's log, gathered from the nodes that run its replicas.

import type { Instant } from "../../core/instant.ts";
import { integer, maybe, oneOf, parseShaped, type Shaped, struct, text } from "../../core/shape.ts";
import { LOG_LINE_BYTES, LOG_PAST_CHARACTERS, LOG_SILENCE_MS } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { ConductorMachine } from "../machine.ts";
import { LastLines, LineSource, mergePast, PAST_OVER } from "./log_merge.ts";
import { askNode } from "./seal.ts";

const nodeLine = struct({
  at: maybe(integer(0, 2 ** 52)),
  line: text(LOG_LINE_BYTES * 2),
  stream: maybe(oneOf("stderr")),
});
type NodeLine = Shaped<typeof nodeLine>;

export interface LogRequest {
  readonly machine: ConductorMachine;
  readonly app: string;
  /** How many each replica begins with. */
  readonly lines: number;
  readonly follow: boolean;
  /** Followed: how many of all to begin with, of those that are wanted; absent: all that came. */
  readonly last?: number;
  readonly seal?: Seal | undefined;
  /** The run of a job, where it is not the last one. */
  readonly run?: number;
  now(): Instant;
  watch(app: string, changed: () => void): () => void;
  /** Which lines are sought; absent: all. */
  wants?(line: LogView): boolean;
  send(line: LogView): void;
  end(): void;
}

/**
 * Starts sending; the returned function stops it. Lines that are followed begin with those that are
 * there, in the order of their times over all replicas; then they come as they are written, also of
 * replicas that come later.
 */
export function streamLogs(request: LogRequest): () => void {
  const { machine, lines, follow, send } = request;
  const abort = new AbortController();
  const begun = new Set<string>();
  const wants = (line: LogView) => request.wants?.(line) ?? true;
  /** Lines of the writers that are not read yet. */
  const fresh = () =>
    writersOf(request).flatMap((writer) => {
      const known = machine.fleet.get(writer.node);
      if (!known?.beat || begun.has(writer.replica)) return [];
      begun.add(writer.replica);
      const path = `/logs/${writer.replica}?lines=${lines}${follow ? "&follow=1" : ""}`;
      const peer = known.address?.peer;
      const at = { hostname: known.beat.host, port: known.beat.port, ...(peer ? { peer } : {}) };
      const ask = (signal: AbortSignal) => askNode(request.seal, at, path, { signal });
      const silenceMs = follow ? Infinity : LOG_SILENCE_MS;
      return [linesOf(request.app, writer, readLines(ask, abort.signal, silenceMs))];
    });
  const sendWanted = (line: LogView) => {
    if (!abort.signal.aborted && wants(line)) send(line);
  };
  if (!follow) {
    const sources = fresh().map((each) => new LineSource(each).rest(sendWanted));
    Promise.all(sources).then(request.end);
    return () => abort.abort();
  }
  let isPast = true;
  const look = () => {
    // Those that come in between wait until the past is told.
    if (isPast || abort.signal.aborted) return;
    for (const each of fresh()) new LineSource(each).rest(sendWanted);
  };
  const unwatch = request.watch(request.app, look);
  followAll(fresh().map((each) => new LineSource(each, lines)), request, sendWanted).then(() => {
    isPast = false;
    look();
  });
  return () => {
    unwatch();
    abort.abort();
  };
}

/** Sends what is there in the order of its times, then goes on with each. */
async function followAll(
  sources: readonly LineSource<LogView>[],
  { last, wants }: LogRequest,
  send: (line: LogView) => void,
): Promise<void> {
  if (last === undefined) await mergePast(sources, LOG_SILENCE_MS, send);
  else {
    const kept = new LastLines<LogView>(last, LOG_PAST_CHARACTERS);
    await mergePast(sources, LOG_SILENCE_MS, (line) => {
      if (wants?.(line) ?? true) kept.add(line);
    });
    kept.take().forEach(send);
  }
  for (const source of sources) source.rest(send);
}

interface Writer {
  readonly replica: string;
  readonly node: string;
  readonly nodeName: string;
}

/** A writer's lines as they are shown. */
async function* linesOf(
  app: string,
  { replica, nodeName }: Writer,
  lines: AsyncIterable<NodeLine | typeof PAST_OVER>,
): AsyncGenerator<LogView | typeof PAST_OVER> {
  for await (const each of lines) {
    if (each === PAST_OVER) yield each;
    else {
      const { at = 0, line, stream } = each;
      const more = stream === undefined ? {} : { stream };
      yield { wallMs: at, app, replica, node: nodeName, line, ...more };
    }
  }
}

/**
 * Whose logs these are: the app's replicas; of a job those of its last run, or of the run that is
 * asked for, which their nodes keep for a while after the end.
 */
function writersOf(
  { machine, app: name, run: wanted, now }: LogRequest,
): readonly Writer[] {
  const app = machine.state.apps.get(name);
  if (!app) return [];
  const runs = app.job?.runs ?? [];
  const run = wanted === undefined
    ? runs.findLast((each) => each.replicas.length > 0)
    : runs.find((each) => each.run === wanted);
  if (app.job) {
    return (run?.replicas ?? []).map(({ replica, node }) => ({
      replica,
      node,
      nodeName: machine.state.nodes.get(node) ?? node,
    }));
  }
  return machine.sightsOf(app, now()).map(({ placement: { replica, node }, nodeName }) => ({
    replica,
    node,
    nodeName,
  }));
}

/**
 * Lines as a node sends them; an empty one stands between those that were there and those that come.
 * It ends where the node goes away.
 *
 * @param silenceMs how long nothing may come: a node that froze or lost power ends no connection
 */
async function* readLines(
  ask: (signal: AbortSignal) => Promise<Response>,
  stop: AbortSignal,
  silenceMs: number,
): AsyncGenerator<NodeLine | typeof PAST_OVER> {
  const silent = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    if (silenceMs < Infinity) timer = setTimeout(() => silent.abort(), silenceMs);
  };
  heard();
  try {
    const response = await ask(AbortSignal.any([stop, silent.signal]));
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      return;
    }
    let rest = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      heard();
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const each of lines) {
        const line = each === "" ? PAST_OVER : parseShaped(nodeLine, each);
        if (line) yield line;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The app's last lines as one text, for the v1 LOGS command. */
export async function lastLines(
  machine: ConductorMachine,
  app: string,
  lines: number,
  now: () => Instant,
  seal?: Seal,
): Promise<string[]> {
  const all: LogView[] = [];
  await new Promise<void>((resolve) => {
    const stop = streamLogs({
      machine,
      app,
      lines,
      follow: false,
      seal,
      now,
      watch: () => () => {},
      send: (line) => all.push(line),
      end: resolve,
    });
    const timer = setTimeout(() => (stop(), resolve()), 1_000);
    Deno.unrefTimer(timer);
  });
  return all.sort((a, b) => a.wallMs - b.wallMs).slice(-lines).map((each) => each.line);
}
