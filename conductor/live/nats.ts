// The connection to NATS, and which of its errors say what. Loaded only where a store is there.

import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import {
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { JetStreamApiError } from "@nats-io/jetstream";
import { Failure } from "../../core/errors.ts";
import { NATS_PATIENCE_MS, NATS_PING_MS, NATS_TIMEOUT_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { NatsTarget } from "../leading/store_target.ts";

/** How the servers are entered: a `.creds` file of NATS, or one line `user:password`. */
export interface NatsAccess {
  readonly login?: string;
  /** Certificates in PEM by which servers of a `tls://` target are checked. */
  readonly caCert?: string;
  /** For how long a request is repeated while no server takes it, ms. */
  readonly patienceMs?: number;
}

/**
 * Connects to one of the servers, and to another whenever that is lost, for ever.
 *
 * @throws {Failure} `store-unreachable` where none answers.
 */
export async function connectNats(
  { servers, tls }: NatsTarget,
  { login, caCert, patienceMs = NATS_PATIENCE_MS }: NatsAccess = {},
): Promise<NatsConnection> {
  const authenticator = login === undefined ? {} : { authenticator: authenticatorOf(login) };
  const options = {
    servers: [...servers],
    name: "skr8tr conductor",
    timeout: NATS_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 50,
    // One that was stopped keeps its connection open: only silence shows it.
    pingInterval: NATS_PING_MS,
    maxPingOut: 2,
    // Only those that the operator named are gone to.
    ignoreClusterUpdates: true,
    ...authenticator,
    ...(tls ? { tls: tlsOf(servers, caCert) } : {}),
  };
  overhearLateResets();
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      const connection = await connect(options);
      void tell(connection);
      return connection;
    } catch (error) {
      // Servers and conductors may be started at one time.
      const why = refusalOf(error as Error, tls);
      if (why === null && error instanceof errors.ConnectionError && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      throw new Failure(
        "store-unreachable",
        `cannot open the store at ${servers.join(", ")}: ${(error as Error).message}; ` +
          (why ?? "is nats-server running there with JetStream (-js)?"),
        { cause: error },
      );
    }
  }
}

/** What an operator can do about a server that answers and lets nobody in; `null` for others. */
function refusalOf(error: Error & { readonly code?: unknown }, tls: boolean): string | null {
  if (error instanceof errors.AuthorizationError) {
    return "the server refuses this login: give --store-login a file with one that it knows";
  }
  if (/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/.test(String(error.code))) {
    return "its certificate cannot be trusted: --store-ca must name the authority that signed it, " +
      "and it must be for this address" + (tls ? "" : "; write tls:// in place of nats://");
  }
  return /not support 'tls'/.test(error.message)
    ? "the server has no TLS: set that up there, or write nats:// in place of tls://"
    : null;
}

/** How a server over TLS is checked: by these authorities, or the system's. */
function tlsOf(servers: readonly string[], ca: string | undefined): TlsOptions {
  const addresses = servers.map((each) => each.slice(0, each.lastIndexOf(":")))
    .map((host) => host.replace(/^\[|\]$/g, ""))
    .filter((host) => isIP(host) !== 0);
  const options = {
    ...(ca === undefined ? {} : { ca }),
    // The client gives no name for a server that has none, and its certificate would be held against
    // "localhost": it has to name one of the addresses that the operator gave.
    checkServerIdentity(name: string, certificate: PeerCertificate): Error | undefined {
      const named = servers.some((each) => each.startsWith(`${name}:`));
      const errors = (named || addresses.length === 0 ? [name] : addresses)
        .map((host) => checkServerIdentity(host, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
  return options as TlsOptions;
}

let overhears = false;

/**
 * The client takes its listeners off a socket before that is closed. Where a server resets it in
 * between, as it does with one that it refuses, nobody listens for that: it must not end the process.
 */
function overhearLateResets(): void {
  if (overhears) return;
  overhears = true;
  globalThis.addEventListener("error", (event) => {
    if (["ECONNRESET", "EPIPE"].includes(event.error?.code)) event.preventDefault();
  });
}

function authenticatorOf(login: string) {
  const text = login.trim();
  if (text.startsWith("-----BEGIN")) return credsAuthenticator(new TextEncoder().encode(login));
  const cut = text.indexOf(":");
  if (cut < 1) {
    throw new Failure("usage", "--store-login needs a .creds file of NATS, or user:password");
  }
  return usernamePasswordAuthenticator(text.slice(0, cut), text.slice(cut + 1));
}

async function tell(connection: NatsConnection): Promise<void> {
  const log = logger("store");
  for await (const status of connection.status()) {
    if (status.type === "disconnect") log.warn("lost {server}", { server: status.server });
    if (status.type === "reconnect") log.info("connected to {server}", { server: status.server });
  }
}

/** Codes of JetStream: another last sequence than was expected; and no room, in several ways. */
const WRONG_LAST_SEQUENCE = 10_071;
const FULL = [10_023, 10_028, 10_047, 10_077];

export function isWrongSequence(error: unknown): error is JetStreamApiError {
  return error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE;
}

/**
 * Says whether a server has judged the request and done nothing, and would judge so again. What it
 * cannot do just now (503: no leader is elected) is another matter, but for a lack of room.
 */
export function isDefinite(error: unknown): error is JetStreamApiError {
  return error instanceof JetStreamApiError && (error.status !== 503 || FULL.includes(error.code));
}

/** Says whether nobody took the request: certainly nothing was done, and soon somebody may. */
export function isUntaken(error: unknown): boolean {
  return error instanceof JetStreamApiError
    ? !isDefinite(error)
    : (error as Error)?.name === "JetStreamNotEnabled";
}

/** A read that is tried again while no server can be reached, within `patienceMs`. */
export async function again<T>(work: () => Promise<T>, patienceMs: number): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (isDefinite(error) || performance.now() >= until) {
        throw new Failure(
          "store-failed",
          `the store does not answer: ${(error as Error).message}`,
          {
            cause: error,
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Says whether the server has no such stream or message. */
export function isMissing(error: unknown): boolean {
  return isDefinite(error) && error.status === 404;
}

/** For the end of a read: what is not there is `null`. */
export function nothingIfMissing(error: unknown): null {
  if (error instanceof Failure && isMissing(error.cause)) return null;
  throw error;
}
