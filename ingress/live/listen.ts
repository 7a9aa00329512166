import { listenFailure } from "../../core/live/udp.ts";

/** Listens on TCP. @throws {Failure} `port-taken` or `cannot-listen`, with the remedy. */
export function listenTcp(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    throw listenFailure("TCP", hostname, port, error);
  }
}
