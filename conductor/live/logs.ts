// An app's log, gathered from the nodes that run its replicas.

import type { Instant } from "../../core/instant.ts";
import { integer, maybe, oneOf, parseShaped, type Shaped, struct, text } from "../../core/shape.ts";
import { LOG_LINE_BYTES, LOG_SILENCE_MS } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { ConductorMachine } from "../machine.ts";
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
  readonly lines: number;
  readonly follow: boolean;
  readonly seal?: Seal | undefined;
  /** The run of a job, where it is not the last one. */
  readonly run?: number;
  now(): Instant;
  watch(app: string, changed: () => void): () => void;
  send(line: LogView): void;
  end(): void;
}

/** Starts sending; the returned function stops it. Replicas that come later are followed, too. */
export function streamLogs(request: LogRequest): () => void {
  const abort = new AbortController();
  const streams = new Map<string, Promise<void>>();
  let unwatch = () => {};
  const look = () => {
    for (const { replica, node, nodeName } of writersOf(request)) {
      const known = request.machine.fleet.get(node);
      const address = known?.beat;
      if (!address || streams.has(replica)) continue;
      const base = `/logs/${replica}`;
      const path = `${base}?lines=${request.lines}${request.follow ? "&follow=1" : ""}`;
      const peer = known.address?.peer;
      const at = { hostname: address.host, port: address.port, ...(peer ? { peer } : {}) };
      const ask = (signal: AbortSignal) => askNode(request.seal, at, path, { signal });
      const send = (line: NodeLine) =>
        request.send({
          wallMs: line.at ?? 0,
          app: request.app,
          replica,
          node: nodeName,
          line: line.line,
          ...(line.stream === undefined ? {} : { stream: line.stream }),
        });
      streams.set(
        replica,
        // A node that goes away ends its stream; the others go on.
        readLines(ask, send, abort.signal, request.follow ? Infinity : LOG_SILENCE_MS)
          .catch(() => {}),
      );
    }
  };
  look();
  if (request.follow) unwatch = request.watch(request.app, look);
  else Promise.all(streams.values()).then(request.end);
  return () => {
    unwatch();
    abort.abort();
  };
}

/**
 * Whose logs these are: the app's replicas; of a job those of its last run, or of the run that is
 * asked for, which their nodes keep for a while after the end.
 */
function writersOf(
  { machine, app: name, run: wanted, now }: LogRequest,
): readonly { readonly replica: string; readonly node: string; readonly nodeName: string }[] {
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

/** @param silenceMs how long nothing may come: a node that froze or lost power ends no connection */
async function readLines(
  ask: (signal: AbortSignal) => Promise<Response>,
  take: (line: NodeLine) => void,
  stop: AbortSignal,
  silenceMs: number,
): Promise<void> {
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
        const line = parseShaped(nodeLine, each);
        if (line) take(line);
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
