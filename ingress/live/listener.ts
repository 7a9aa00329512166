import { isWithin } from "../../core/address.ts";
import { ascii } from "../field_block.ts";
import { originOf } from "../headers.ts";
import type { Connection } from "./connection.ts";
import { Http2Sessions } from "./http2_sessions.ts";
import { behindPreface, behindProxyHeader } from "./prefixed.ts";
import { Http1Client } from "./client.ts";
import type { ClientSet } from "./client_set.ts";
import { listenTcp } from "./listen.ts";
import type { Proxy } from "./proxy.ts";

/** A port that clients connect to. */
export interface Listener {
  readonly port: number;
  /** Called several times a second: ends sessions of HTTP/2 that take too long. */
  check(nowMs: number): void;
  /** Takes no more connections; tells sessions to end. */
  close(): void;
}

const NO_LINES = ascii("");

/**
 * Serves HTTP/1 on a TCP port.
 *
 * @throws {Failure} `port-taken` or `cannot-listen`.
 */
export function openListener(
  proxy: Proxy,
  clients: ClientSet,
  options: {
    readonly hostname: string;
    readonly port: number;
    readonly maxConnections: number;
    readonly reusePort: boolean;
    /** Trusted peers begin with a PROXY header. */
    readonly proxyProtocol: boolean;
    /** Clients that begin with the preface of HTTP/2 are served by it. */
    readonly h2c: boolean;
  },
): Listener {
  const listener = listenTcp(options.hostname, options.port, options.reusePort);
  let closed = false;
  let roomFor: (() => void) | null = null;
  clients.onLeave = () => roomFor?.();

  const serveOne = (connection: Connection, address: string, http2: boolean) => {
    const trusted = isWithin(address, proxy.trusted);
    const origin = originOf(address, "http", trusted);
    const peer = { address, trusted, secure: false, http2 };
    clients.add(new Http1Client(connection, proxy, clients, origin, peer, NO_LINES));
  };
  const sessions = options.h2c
    ? new Http2Sessions(
      proxy,
      () => clients.size < options.maxConnections,
      (stream, address) => serveOne(stream, address, true),
    )
    : null;
  const serve = (connection: Connection, address: string) => {
    if (sessions === null) return serveOne(connection, address, false);
    behindPreface(connection, proxy.timeouts.headMs).then((behind) => {
      if (behind === null) return;
      if (behind.http2) sessions.open(behind.connection, address);
      else serveOne(behind.connection, address, false);
    });
  };
  const take = (connection: Deno.TcpConn) => {
    connection.setNoDelay(true);
    const address = connection.remoteAddr.hostname;
    // Only a trusted peer may say who stands behind it; anybody else speaks HTTP or nothing.
    if (!options.proxyProtocol || !isWithin(address, proxy.trusted)) {
      return serve(connection, address);
    }
    behindProxyHeader(connection, proxy.timeouts.headMs).then((behind) => {
      if (behind !== null) serve(behind.connection, behind.client ?? address);
    });
  };
  const loop = async () => {
    while (!closed) {
      try {
        take(await listener.accept());
      } catch {
        // The listener is closed, the peer is gone already, or descriptors have run out.
        if (closed) return;
        proxy.metrics.refusedConnections++;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (clients.size < options.maxConnections) continue;
      // The kernel keeps further ones waiting until there is room.
      await new Promise<void>((resolve) => roomFor = resolve);
      roomFor = null;
    }
  };
  loop();

  return {
    port: listener.addr.port,
    check: (nowMs) => sessions?.check(nowMs),
    close() {
      closed = true;
      listener.close();
      sessions?.drain();
    },
  };
}
