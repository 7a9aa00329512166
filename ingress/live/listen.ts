import { listenFailure } from "../../core/live/udp.ts";

/**
 * Listens on TCP. `reusePort`: several processes may take connections from one port.
 *
 * @throws {Failure} `port-taken` or `cannot-listen`, with the remedy.
 */
export function listenTcp(hostname: string, port: number, reusePort: boolean): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port, reusePort });
  } catch (error) {
    throw listenFailure("TCP", hostname, port, error);
  }
}
