// Runs one byte stream through a real ingress and judges it: for the project's own tables of cases
// and for the external corpora.

import { ascii, latin1 } from "../field_block.ts";
import type { Ingress } from "./ingress.ts";
import { type Backend, endpoint, openBackend, route, testIngress, Wire } from "./testing.ts";

/** A stream of requests on one connection and what must become of it. */
export interface StreamCase {
  readonly bytes: Uint8Array;
  /** `reject`: refused at the first bad message; `accept`: all served; `either` may be. */
  readonly expect: "accept" | "reject" | "either";
  /** As many requests reach the backend at most, and exactly where the case is accepted. */
  readonly requests: number;
  /** `request for /path`, `00` (NUL), `0d-without-0a`: must not be seen by the backend. */
  readonly neverForward: readonly string[];
  readonly mustClose: boolean;
}

/** An ingress and its one counting backend. */
export interface Lane {
  readonly ingress: Ingress;
  readonly backend: Backend;
  /** Heads of requests that the backend has seen. */
  heads: string[];
  /** Raw bytes that it has seen. */
  raw: string;
}

/** Longest that a case may take. */
const CASE_MS = 2_000;
/** Short, so that nothing is waited for in vain. */
const TIMEOUTS = { headMs: 500, idleMs: 250, bodyMs: 500 };

async function openLane(): Promise<Lane & AsyncDisposable> {
  const backend = openBackend(async (wire) => {
    for (;;) {
      const head = await wire.readUntil("\r\n\r\n");
      lane.heads.push(head);
      lane.raw += head;
      await readBody(wire, head, (part) => lane.raw += part);
      await wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  const ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: TIMEOUTS,
  });
  const lane = {
    ingress,
    backend,
    heads: [] as string[],
    raw: "",
    async [Symbol.asyncDispose]() {
      await ingress.stop();
      await backend[Symbol.asyncDispose]();
    },
  };
  return lane;
}

async function readBody(wire: Wire, head: string, saw: (part: string) => void): Promise<void> {
  if (/\r\ntransfer-encoding:/i.test(head)) {
    for (;;) {
      const line = await wire.readUntil("\r\n");
      saw(line);
      const size = parseInt(line, 16);
      if (size === 0) break;
      saw(await readExactly(wire, size + 2));
    }
    for (let line = ""; line !== "\r\n";) saw(line = await wire.readUntil("\r\n"));
    return;
  }
  const length = Number(/\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1] ?? 0);
  saw(await readExactly(wire, length));
}

async function readExactly(wire: Wire, length: number): Promise<string> {
  let text = "";
  while (text.length < length) {
    const more = await wire.read();
    if (more === null) throw new Error("ended within a body");
    text += more;
  }
  wire.unread(text.slice(length));
  return text.slice(0, length);
}

/** Runs all cases, several at a time, each lane with an ingress of its own. */
export async function lanes<T>(
  cases: readonly T[],
  run: (each: T, lane: Lane) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async () => {
    await using lane = await openLane();
    while (next < cases.length) await run(cases[next++]!, lane);
  };
  await Promise.all(Array.from({ length: 24 }, work));
}

/** Sends a stream, waits until it ends, and says what was wrong; `null` if nothing. */
export async function runRequestCase(stream: StreamCase, lane: Lane): Promise<string | null> {
  lane.heads = [];
  lane.raw = "";
  const { text, closed } = await talk(lane.ingress.httpPort, stream.bytes);
  const statuses = statusesOf(text);
  const seen = lane.heads.length;
  const refused = statuses.some((status) => status >= 400) || (closed && statuses.length === 0);
  const said = `${seen} requests at the backend, answers ${statuses.join(" ") || "none"}`;
  for (const never of stream.neverForward) {
    if (wasForwarded(never, lane)) return `forwarded ${never}; ${said}`;
  }
  if (seen > stream.requests) return `more than ${stream.requests} requests; ${said}`;
  switch (stream.expect) {
    case "reject":
      return refused || seen < statuses.length ? null : `not refused; ${said}`;
    case "accept":
      if (seen !== stream.requests) return `not ${stream.requests} requests; ${said}`;
      if (statuses.length !== seen || statuses.some((status) => status >= 400)) {
        return `not all were answered well; ${said}`;
      }
      return stream.mustClose && !closed ? `not closed; ${said}` : null;
    case "either":
      return null;
    default:
      return stream.expect satisfies never;
  }
}

function wasForwarded(never: string, lane: Lane): boolean {
  if (never === "00") return lane.raw.includes("\0");
  if (never === "0d-without-0a") return /\r(?!\n)/.test(lane.raw);
  const path = never.replace("request for ", "");
  return lane.heads.some((head) => head.split(" ")[1] === path);
}

/** Final statuses of the responses of our own backend and of the ingress's answers. */
function statusesOf(text: string): number[] {
  return [...text.matchAll(/(?:^|ok|\n|\r)HTTP\/1\.1 ([2-5]\d\d) /g)].map((each) =>
    Number(each[1])
  );
}

async function talk(
  port: number,
  bytes: Uint8Array,
): Promise<{ text: string; closed: boolean }> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const wire = new Wire(connection);
  let text = "";
  let closed = true;
  const timer = setTimeout(() => {
    closed = false;
    wire.close();
  }, CASE_MS);
  try {
    await wire.write(bytes).catch(() => {});
    for (let more = await wire.read(); more !== null; more = await wire.read()) text += more;
  } finally {
    clearTimeout(timer);
    wire.close();
  }
  return { text, closed };
}

/**
 * Lets a backend answer with these bytes and then end, and judges what the client got: `reject`
 * means that no complete response may reach it, but for an error of our own.
 */
export async function runResponseCase(
  bytes: Uint8Array,
  method: string,
  expect: "accept" | "reject" | "either",
): Promise<string | null> {
  await using backend = openBackend(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.write(bytes);
  });
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: [endpoint("app", backend.port)],
    timeouts: TIMEOUTS,
  });
  const request = `${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`;
  const { text } = await talk(ingress.httpPort, ascii(request));
  const final = text.replace(/^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)*/, "");
  const status = Number(/^HTTP\/1\.1 (\d\d\d)/.exec(final)?.[1] ?? 0);
  const own = final.includes("X-Request-Id") && status === 502;
  const delivered = !own && isComplete(final, method);
  if (/\r(?!\n)|\0/.test(final.slice(0, final.indexOf("\r\n\r\n")))) {
    return "a raw CR or NUL came through";
  }
  if (expect === "reject" && delivered) return `delivered as complete: ${JSON.stringify(text)}`;
  if (expect === "accept" && !delivered) return `not delivered: ${JSON.stringify(text)}`;
  return null;
}

/** Whether a client would take this for a whole response. */
function isComplete(text: string, method: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = text.slice(0, end + 2);
  const body = ascii(text.slice(end + 4));
  if (method === "HEAD" || /^HTTP\/1\.1 (204|304)/.test(head)) return true;
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(head)) {
    return /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(latin1(body, 0, body.length));
  }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return length === undefined || body.length >= Number(length);
}
