import tls, { type SecureContext, type TLSSocket } from "node:tls";
import net, { type AddressInfo } from "node:net";
import { listenFailure } from "../../core/live/udp.ts";
import { isWithin } from "../../core/address.ts";
import { ascii } from "../field_block.ts";
import { originOf } from "../headers.ts";
import type { Certificates } from "./certificates.ts";
import { Http1Client } from "./client.ts";
import type { ClientSet } from "./client_set.ts";
import { type Connection, NodeConnection } from "./connection.ts";
import { Http2Sessions } from "./http2_sessions.ts";
import { acceptTls } from "./proxied_tls.ts";
import type { Proxy } from "./proxy.ts";

/** How HTTPS is served. */
export interface TlsOptions {
  readonly hostname: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly reusePort: boolean;
  /** Trusted peers begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  /** Seconds for Strict-Transport-Security; 0: none. */
  readonly hstsS: number;
}

/** A port that serves HTTP/1.1 and HTTP/2 over TLS. */
export interface TlsListener {
  readonly port: number;
  readonly size: number;
  /** Called several times a second: ends sessions that take too long. */
  check(nowMs: number): void;
  /** Takes no more; tells sessions to end. Clients themselves are the `ClientSet`'s. */
  drain(): void;
  /** Ends all. */
  close(): void;
}

/** Serves HTTPS. @throws {Failure} `port-taken` or `cannot-listen` (rejection). */
export async function openTlsListener(
  proxy: Proxy,
  clients: ClientSet,
  certificates: Certificates,
  options: TlsOptions,
): Promise<TlsListener> {
  const lines = ascii(
    options.hstsS > 0 ? `Strict-Transport-Security: max-age=${options.hstsS}\r\n` : "",
  );
  const sockets = new Set<TLSSocket>();

  const serve = (connection: Connection, address: string, http2: boolean) => {
    const trusted = isWithin(address, proxy.trusted);
    clients.add(
      new Http1Client(
        connection,
        proxy,
        clients,
        originOf(address, "https", trusted),
        { address, trusted, secure: true, http2 },
        lines,
      ),
    );
  };
  const sessions = new Http2Sessions(
    proxy,
    () => clients.size < options.maxConnections,
    (stream, address) => serve(stream, address, true),
  );
  const accept = (socket: TLSSocket, address: string) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    if (socket.alpnProtocol === "h2") sessions.open(new NodeConnection(socket), address);
    else serve(new NodeConnection(socket), address, false);
  };
  const secrets = {
    ALPNProtocols: ["h2", "http/1.1"],
    SNICallback: (
      name: string,
      done: (error: Error | null, context?: SecureContext) => void,
    ) => done(null, certificates.contextFor(name)),
  };
  const { headMs } = proxy.timeouts;
  const server = options.proxyProtocol
    ? net.createServer((socket) => {
      const peer = socket.remoteAddress ?? "";
      socket.setNoDelay(true);
      acceptTls(
        socket,
        // Who names no server gets the first certificate, as behind SNICallback.
        { ...secrets, secureContext: certificates.contextFor("") },
        isWithin(peer, proxy.trusted),
        headMs,
        (secure, client) => accept(secure, client ?? peer),
        () => proxy.metrics.tlsFailures++,
      );
    })
    : tls.createServer({ ...secrets, handshakeTimeout: headMs }, (socket) => {
      socket.setNoDelay(true);
      accept(socket, socket.remoteAddress ?? "");
    });
  server.maxConnections = options.maxConnections;
  server.on("tlsClientError", (_error: Error, socket: TLSSocket) => {
    proxy.metrics.tlsFailures++;
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const known = error.code === "EADDRINUSE" ? new Deno.errors.AddrInUse(error.message) : error;
      reject(listenFailure("TCP", options.hostname, options.port, known));
    });
    const { hostname: host, port, reusePort } = options;
    server.listen({ host, port, reusePort, backlog: 1024 }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    get size() {
      return sockets.size;
    },
    check(nowMs) {
      sessions.check(nowMs);
    },
    drain() {
      server.close();
      sessions.drain();
    },
    close() {
      sessions.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}
