import type { Replica } from "../balance.ts";
import type { Origin } from "../headers.ts";
import { BY_LENGTH, type RequestHead } from "../http1.ts";
import type { Reply } from "../replies.ts";
import type { Match } from "../route.ts";
import type { Proxy } from "./proxy.ts";

/** A request that may pass. */
export interface Admission {
  readonly match: Match;
  /** Replica that the client's cookie asks for. */
  readonly preferred: Replica | null;
  /** The address that stands for the client, behind trusted proxies. */
  readonly client: string;
  /** Fields for the response; `null` for those of the connection. */
  readonly lines: Uint8Array | null;
}

/** Decides whether a request may pass and where to; else says what to answer. */
export function admit(
  proxy: Proxy,
  bytes: Uint8Array,
  head: RequestHead,
  _origin: Origin,
  peer: string,
): Admission | Reply {
  const match = proxy.machine.match(bytes, head);
  if (match === null) return { status: 404, text: "no route leads here" };
  if (head.framing === BY_LENGTH && head.length > proxy.maxBodyBytes) {
    return { status: 413, text: `the body is longer than ${proxy.maxBodyBytes} bytes` };
  }
  return { match, preferred: null, client: peer, lines: null };
}
