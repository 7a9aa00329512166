// The CLI's sealed session with a conductor: loaded only where one is wanted.

import { isLoopback, showAddress } from "../core/address.ts";
import { sha256Hex } from "../core/bytes.ts";
import { Failure } from "../core/errors.ts";
import { SEAL_HANDSHAKE_MS } from "../core/limits.ts";
import { createVerifier } from "../core/live/crypto.ts";
import { sealUrl } from "../core/live/seal_url.ts";
import { type Channel, dialSealed } from "../core/live/sealed_channel.ts";
import { dialWebSocket } from "../core/live/websocket_client.ts";
import {
  type Dial,
  type MessageSocket,
  sealedFetch,
  sealedSocket,
} from "../core/live/sealed_http.ts";
import { createKem } from "../core/live/seal_primitives.ts";
import { certificateText, parseIntroduction, staticKeyBytes } from "../core/seal/member.ts";
import { type Pinned, readContexts, writeContexts } from "./context.ts";
import { type HttpRequest, type HttpResponse, request } from "./http.ts";
import { certificateOf } from "./operator_certificate.ts";
import { type ConductorAddress } from "./target.ts";

interface Session {
  readonly dial: Dial;
  /** Connections that are open and not in use. */
  readonly idle: Channel[];
}

/** By address and what is known of it; `null` where the conductor has no sealed sessions. */
const sessions = new Map<string, Promise<Session | null>>();

/** Says whether what is said to this conductor is sealed. */
export async function isSealed(to: ConductorAddress, signal: AbortSignal): Promise<boolean> {
  return await sessionWith(to, signal) !== null;
}

/**
 * As `request()` in http.ts, in a sealed session.
 *
 * @throws {Failure} `unreachable`; `conductor-changed` where the conductor does not hold the key that
 *   it was known by; `not-sealed` where one beyond this machine offers none.
 */
export async function sealedRequest(
  to: ConductorAddress,
  options: HttpRequest,
): Promise<HttpResponse> {
  const session = await sessionWith(to, options.signal);
  if (session === null) return await request(plain(to), options);
  const { method, path, headers, body, signal } = options;
  const ask = () =>
    sealedFetch(session.dial, path, {
      method,
      signal,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : { body }),
    });
  const stale = session.idle.length > 0;
  let response: Response;
  try {
    response = await ask().catch((error) => {
      // An old connection may have been to a conductor that is no more; what only reads is asked again.
      if (!stale || !["GET", "HEAD"].includes(method) || signal.aborted) throw error;
      for (const channel of session.idle.splice(0)) channel.close();
      return ask();
    });
  } catch (error) {
    throw told(error, to);
  }
  return {
    status: response.status,
    headers: new Map(response.headers),
    body: textOf(response, to, signal),
  };
}

/**
 * Opens a stream of messages with the conductor, sealed where it has sealed sessions.
 *
 * @throws {Failure} as `sealedRequest`.
 */
export async function sealedStream(
  to: ConductorAddress,
  path: string,
  timeoutMs: number,
): Promise<MessageSocket> {
  const session = await sessionWith(to, AbortSignal.timeout(timeoutMs));
  if (session) return sealedSocket(session.dial, path);
  const plainUrl = new URL(path, sealUrl(to));
  return dialWebSocket(plainUrl.href);
}

async function* textOf(
  response: Response,
  to: ConductorAddress,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const part of response.body ?? []) yield decoder.decode(part, { stream: true });
  } catch (error) {
    throw signal.aborted ? signal.reason : told(error, to);
  }
}

/** A failure of the session as one of the CLI. */
function told(error: unknown, to: ConductorAddress): unknown {
  if (!(error instanceof Failure) || error.code !== "seal") return error;
  return new Failure("unreachable", `${showAddress(to)}: ${error.message}`);
}

function plain({ hostname, port }: ConductorAddress): ConductorAddress {
  return { hostname, port };
}

function sessionWith(to: ConductorAddress, signal: AbortSignal): Promise<Session | null> {
  const { context = "", pinned, fingerprint = "" } = to.seal ?? {};
  const name = [showAddress(to), context, pinned?.identity ?? "", fingerprint].join(" ");
  let session = sessions.get(name);
  if (!session) {
    session = open(to, signal);
    sessions.set(name, session);
    session.catch(() => sessions.delete(name));
  }
  return session;
}

async function open(to: ConductorAddress, signal: AbortSignal): Promise<Session | null> {
  const near = isLoopback(to.hostname);
  const known = to.seal?.pinned ?? (near ? undefined : readContexts().known[showAddress(to)]);
  const first = known ?? await introduced(to, signal);
  if (first === null) return null;
  let pinned = first;
  // On this machine nobody is known from before: a conductor that was started anew is asked anew.
  const mayBeAnew = near && known === undefined && to.seal?.context === undefined;
  const kem = await createKem();
  // On this machine nobody needs to say who they are to read.
  const certificate = near ? null : await certificateOf(to.seal?.keyPath, kem);
  const own = certificate ?? await ephemeral(kem);
  const keys = { kem, staticKey: own.staticKey, secret: own.secret };
  const url = sealUrl(to);
  const idle: Channel[] = [];
  const reach = async (): Promise<Channel> => {
    const responder = staticKeyBytes(pinned.staticKey);
    if (responder === null) throw new Failure("bad-contexts", "the pinned key is damaged");
    const payload = certificate?.payload;
    return await dialSealed(url, {
      keys,
      responder,
      open: dialWebSocket,
      ...(payload ? { payload } : {}),
    });
  };
  const dial = async (): Promise<Channel> => {
    const channel = idle.pop();
    if (channel) return channel;
    try {
      return await reach();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Somebody is there and is not who was there before?
      // Not by the signal of whoever asked first, and may have given up long ago.
      const limit = AbortSignal.timeout(SEAL_HANDSHAKE_MS);
      const now = await introduced(to, limit, false).catch(() => null);
      if (!now || now.staticKey === pinned.staticKey) throw error;
      if (!mayBeAnew) throw changed(to, pinned);
      pinned = now;
      return await reach();
    }
  };
  const release = (channel: Channel) => {
    channel.onRecord = () => {};
    channel.onEnd = () => {
      const at = idle.indexOf(channel);
      if (at >= 0) idle.splice(at, 1);
    };
    idle.push(channel);
  };
  return { dial: Object.assign(dial, { release }), idle };
}

async function ephemeral(kem: Awaited<ReturnType<typeof createKem>>) {
  const { publicKey, secret } = await kem.fromSeed(crypto.getRandomValues(new Uint8Array(64)));
  return { staticKey: publicKey, secret };
}

function changed(to: ConductorAddress, known: Pinned): Failure {
  const name = to.seal?.context ?? showAddress(to);
  return new Failure(
    "conductor-changed",
    `the conductor at ${showAddress(to)} does not hold the key that it was known by ` +
      `(${
        known.identity.slice(0, 16)
      }...): somebody may stand between you and it. If it was really ` +
      `made anew, forget the old key: skr8tr context rm ${name}`,
  );
}

/** What the conductor says of itself, checked; it is known by that from now on. */
async function introduced(
  to: ConductorAddress,
  signal: AbortSignal,
  keep = true,
): Promise<Pinned | null> {
  const near = isLoopback(to.hostname);
  const response = await request(plain(to), { method: "GET", path: "/identity", signal });
  const text = (await Array.fromAsync(response.body)).join("");
  const said = response.status === 200 ? parseIntroduction(text) : null;
  const staticKey = said && staticKeyBytes(said.staticKey);
  if (!said || !staticKey) {
    if (near && to.seal?.fingerprint === undefined) return null;
    throw new Failure("not-sealed", `${showAddress(to)} offers no sealed session`);
  }
  const identityKey = Uint8Array.fromBase64(said.identityKey);
  // On this machine, where nothing is kept of it, whose key it is makes no difference.
  const matters = keep && (!near || to.seal?.context !== undefined);
  const verifier = matters ? await createVerifier() : null;
  if (
    verifier && !await verifier.verify(
      identityKey,
      certificateText(staticKey),
      said.certificate,
    )
  ) {
    throw new Failure("not-sealed", `${showAddress(to)} shows a key that is not its own`);
  }
  const pinned = { identity: sha256Hex(identityKey), staticKey: said.staticKey };
  const { fingerprint } = to.seal ?? {};
  if (fingerprint !== undefined && fingerprint !== pinned.identity) {
    throw changed(to, {
      identity: fingerprint,
      staticKey: "",
    });
  }
  if (keep) pin(to, pinned, near);
  return pinned;
}

function pin(to: ConductorAddress, pinned: Pinned, near: boolean): void {
  const name = to.seal?.context;
  if (name === undefined && near) return;
  const all = readContexts();
  if (name !== undefined) {
    const context = { ...all.contexts[name]!, pinned };
    writeContexts({ ...all, contexts: { ...all.contexts, [name]: context } });
  } else {
    writeContexts({ ...all, known: { ...all.known, [showAddress(to)]: pinned } });
  }
  console.error(
    `the conductor at ${showAddress(to)} is known by its key from now on: ` +
      pinned.identity,
  );
}
