import type { Replica } from "../balance.ts";
import type { Cidr } from "../../core/address.ts";
import { clientBehind } from "../client_behind.ts";
import { FIELD_INTS, ID, latin1, LINE, NAME_END, VALUE, VALUE_END } from "../field_block.ts";
import { CONTENT_TYPE, COOKIE, X_FORWARDED_FOR, X_FORWARDED_PROTO } from "../fields.ts";
import { BY_LENGTH, type RequestHead } from "../http1.ts";
import type { Reply } from "../replies.ts";
import type { Destination, Match } from "../route.ts";
import type { Proxy } from "./proxy.ts";

/** A request that may pass. */
export interface Admission {
  readonly match: Match;
  /** Replica that the client's cookie asks for. */
  readonly preferred: Replica | null;
  /** The address that stands for the client, behind trusted proxies. */
  readonly client: string;
}

/** Whom a connection comes from. */
export interface Peer {
  readonly address: string;
  /** What it says of others stands. */
  readonly trusted: boolean;
  readonly secure: boolean;
  /** What is served is a stream of HTTP/2. */
  readonly http2?: boolean;
}

/** Decides whether a request may pass and where to; else says what to answer. */
export function admit(
  proxy: Proxy,
  bytes: Uint8Array,
  head: RequestHead,
  peer: Peer,
): Admission | Reply {
  if (proxy.challengeAnswer !== null && !peer.secure) {
    const answer = answerChallenge(proxy.challengeAnswer, bytes, head);
    if (answer !== null) return answer;
  }
  const match = proxy.machine.match(bytes, head);
  if (match === null) return { status: 404, text: "no route leads here" };
  const { destination } = match;
  const { route } = destination;
  if ((route.tlsRequired || proxy.redirectToHttps) && !isSecure(bytes, head, peer)) {
    return towardsHttps(proxy, bytes, head);
  }
  if (head.framing === BY_LENGTH && head.length > proxy.maxBodyBytes) {
    return { status: 413, text: `the body is longer than ${proxy.maxBodyBytes} bytes` };
  }
  const client = peer.trusted ? clientOf(bytes, head, peer, proxy.trusted) : peer.address;
  if (destination.limit !== null) {
    const waitS = destination.limit.take(rateKey(bytes, head, destination, client), proxy.nowMs);
    if (waitS > 0) {
      const text = `${route.app} takes no more requests from you for now`;
      return { status: 429, text, retryAfterS: waitS };
    }
  }
  const preferred = route.sticky ? stickyReplica(proxy, bytes, head, destination) : null;
  return { match, preferred, client };
}

const CHALLENGE = "/.well-known/acme-challenge/";

function answerChallenge(
  answerOf: (token: string) => string | null,
  bytes: Uint8Array,
  head: RequestHead,
): Reply | null {
  if (bytes[head.pathStart + 1] !== 0x2e) return null;
  const path = latin1(bytes, head.pathStart, head.pathEnd);
  const text = path.startsWith(CHALLENGE) ? answerOf(path.slice(CHALLENGE.length)) : null;
  return text === null ? null : { status: 200, text, exact: true };
}

/** Texts of a field's values, in their order. */
export function fieldValues(bytes: Uint8Array, head: RequestHead, id: number): string[] {
  const values: string[] = [];
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    if (head.fields[base + ID] !== id) continue;
    values.push(latin1(bytes, head.fields[base + VALUE]!, head.fields[base + VALUE_END]!));
  }
  return values;
}

/** Whether a request is a call of gRPC, but not of gRPC-Web, which any HTTP/1.1 carries. */
export function isGrpc(bytes: Uint8Array, head: RequestHead): boolean {
  return fieldValues(bytes, head, CONTENT_TYPE).some((type) =>
    /^application\/grpc(?:$|[+;])/i.test(type)
  );
}

function clientOf(
  bytes: Uint8Array,
  head: RequestHead,
  peer: Peer,
  trusted: readonly Cidr[],
): string {
  const chain = fieldValues(bytes, head, X_FORWARDED_FOR).join(",");
  return chain === "" ? peer.address : clientBehind(peer.address, chain.split(","), trusted);
}

function isSecure(bytes: Uint8Array, head: RequestHead, peer: Peer): boolean {
  if (peer.secure) return true;
  return peer.trusted && fieldValues(bytes, head, X_FORWARDED_PROTO)[0]?.toLowerCase() === "https";
}

function towardsHttps(proxy: Proxy, bytes: Uint8Array, head: RequestHead): Reply {
  if (proxy.httpsPort === null || head.hostStart < 0) {
    return { status: 426, text: "this is served over TLS only" };
  }
  const host = latin1(bytes, head.hostStart, head.hostEnd);
  const port = proxy.httpsPort === 443 ? "" : `:${proxy.httpsPort}`;
  const target = latin1(bytes, head.pathStart, head.targetEnd);
  const path = target.startsWith("/") ? target : `/${target}`;
  return {
    status: 308,
    text: "this is served over TLS only",
    location: `https://${host}${port}${path}`,
  };
}

function rateKey(
  bytes: Uint8Array,
  head: RequestHead,
  destination: Destination,
  client: string,
): string {
  const { rateField } = destination;
  if (rateField === "") return client;
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    const from = head.fields[base + LINE]!;
    const to = head.fields[base + NAME_END]!;
    if (to - from !== rateField.length) continue;
    if (latin1(bytes, from, to).toLowerCase() !== rateField) continue;
    return `=${latin1(bytes, head.fields[base + VALUE]!, head.fields[base + VALUE_END]!)}`;
  }
  return client;
}

/** Name of the cookie that binds a client to a replica of an app. */
export function stickyCookie(app: string): string {
  return `skr8tr-${app}`;
}

function stickyReplica(
  proxy: Proxy,
  bytes: Uint8Array,
  head: RequestHead,
  destination: Destination,
): Replica | null {
  const name = `${stickyCookie(destination.route.app)}=`;
  for (const cookies of fieldValues(bytes, head, COOKIE)) {
    for (const cookie of cookies.split(";")) {
      const text = cookie.trim();
      if (text.startsWith(name)) {
        return destination.pool.find(text.slice(name.length), proxy.nowMs);
      }
    }
  }
  return null;
}
