// For tests: a port for a program that must be told its own.

/**
 * Below what systems give out by themselves, so that no connection that is made meanwhile has one, and
 * apart from those of clusters, of replicas and of what documents name.
 */
const FIRST_PORT = 3_000;
const PORTS = 4_000;

/** What this process has given out. */
const given = new Set<number>();

/** A port of this address that is free for TCP and for UDP; this process is given none twice. */
export function freePort(hostname = "127.0.0.1"): number {
  for (let attempt = 0; attempt < PORTS; attempt++) {
    const port = FIRST_PORT + crypto.getRandomValues(new Uint16Array(1))[0]! % PORTS;
    if (given.has(port) || !isFree(hostname, port)) continue;
    given.add(port);
    return port;
  }
  throw new Error(`found no free port at ${hostname}`);
}

function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
