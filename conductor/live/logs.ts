// An app's log, gathered from the nodes that run its replicas.

import type { Instant } from "../../core/instant.ts";
import { integer, maybe, parseShaped, struct, text } from "../../core/shape.ts";
import { LOG_LINE_BYTES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Seal } from "../../core/live/member_seal.ts";
import type { ConductorMachine } from "../machine.ts";
import { askNode } from "./seal.ts";

const nodeLine = struct({
  at: maybe(integer(0, 2 ** 52)),
  line: text(LOG_LINE_BYTES * 2),
});

export interface LogRequest {
  readonly machine: ConductorMachine;
  readonly app: string;
  readonly lines: number;
  readonly follow: boolean;
  readonly seal?: Seal | undefined;
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
    const app = request.machine.state.apps.get(request.app);
    for (const { placement, nodeName } of app ? request.machine.sightsOf(app, request.now()) : []) {
      const node = request.machine.fleet.get(placement.node);
      const address = node?.beat;
      if (!address || streams.has(placement.replica)) continue;
      const base = `/logs/${placement.replica}`;
      const path = `${base}?lines=${request.lines}${request.follow ? "&follow=1" : ""}`;
      const peer = node.address?.peer;
      const at = { hostname: address.host, port: address.port, ...(peer ? { peer } : {}) };
      const ask = () => askNode(request.seal, at, path, { signal: abort.signal });
      const send = (line: { readonly at?: number; readonly line: string }) =>
        request.send({
          wallMs: line.at ?? 0,
          app: request.app,
          replica: placement.replica,
          node: nodeName,
          line: line.line,
        });
      streams.set(
        placement.replica,
        // A node that goes away ends its stream; the others go on.
        readLines(ask, send).catch(() => {}),
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

async function readLines(
  ask: () => Promise<Response>,
  take: (line: { readonly at?: number; readonly line: string }) => void,
): Promise<void> {
  const response = await ask();
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    return;
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const each of lines) {
      const line = parseShaped(nodeLine, each);
      if (line) take(line);
    }
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
