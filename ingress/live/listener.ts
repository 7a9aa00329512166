import { isWithin } from "../cidr.ts";
import { ascii } from "../field_block.ts";
import { originOf } from "../headers.ts";
import { type ClientList, Http1Client } from "./client.ts";
import { listenTcp } from "./listen.ts";
import type { Proxy } from "./proxy.ts";

/** A port that clients connect to. */
export interface Listener {
  readonly port: number;
  /** Open client connections. */
  readonly size: number;
  /** Ends what takes too long. */
  check(nowMs: number): void;
  /** Takes no more connections; resolves when all have ended, or after `drainMs` without the rest. */
  drain(drainMs: number): Promise<void>;
}

const NO_LINES = ascii("");

/**
 * Serves HTTP/1 on a TCP port.
 *
 * @throws {Failure} `port-taken` or `cannot-listen`.
 */
export function openListener(
  proxy: Proxy,
  options: { readonly hostname: string; readonly port: number; readonly maxConnections: number },
): Listener {
  const listener = listenTcp(options.hostname, options.port);
  const clients = new Set<Http1Client>();
  let closed = false;
  let roomFor: (() => void) | null = null;
  let emptied: (() => void) | null = null;
  const list: ClientList = {
    clientClosed(client) {
      clients.delete(client);
      proxy.metrics.connections = clients.size;
      roomFor?.();
      if (clients.size === 0) emptied?.();
    },
  };

  const take = (connection: Deno.TcpConn) => {
    connection.setNoDelay(true);
    const address = connection.remoteAddr.hostname;
    const trusted = isWithin(address, proxy.trusted);
    const client = new Http1Client(
      connection,
      proxy,
      list,
      originOf(address, "http", trusted),
      { address, trusted, secure: false },
      NO_LINES,
    );
    clients.add(client);
    proxy.metrics.connections = clients.size;
    client.begin();
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
    get size() {
      return clients.size;
    },
    check(nowMs) {
      for (const client of clients) client.check(nowMs);
    },
    async drain(drainMs) {
      closed = true;
      listener.close();
      for (const client of clients) client.drain();
      if (clients.size > 0) {
        let timer: ReturnType<typeof setTimeout> | undefined;
        await Promise.race([
          new Promise<void>((resolve) => emptied = resolve),
          new Promise<void>((resolve) => timer = setTimeout(resolve, drainMs)),
        ]);
        clearTimeout(timer);
      }
      for (const client of [...clients]) client.destroy();
    },
  };
}
