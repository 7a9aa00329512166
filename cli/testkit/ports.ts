// Ports for clusters that tests, people's and our own, and benches start side by side, in one process
// or in several.

import { Failure } from "../../core/errors.ts";
import { type PortRange, portsFrom, type WantedPorts } from "../cluster/layout.ts";

/** Ports that no other cluster of tests on this machine takes meanwhile. */
export interface ClaimedPorts extends Disposable {
  readonly ports: WantedPorts;
  readonly replicaPorts: PortRange;
  /** An address of its own for each node, where the system has these (Linux). */
  readonly addresses: readonly string[];
}

/** So many clusters may live at once. */
const PLACES = 30;
/** Below the ports that systems give out by themselves, and away from what documents name. */
const FIRST_PORT = 15_000;
const PORTS = 100;
const FIRST_REPLICA_PORT = 29_000;
const REPLICA_PORTS = 120;
/** Listened on as long as the place is taken. */
const CLAIM = 99;

/**
 * Takes one of the places for a cluster, by listening on a port of it: two that start at the same
 * moment would find the same ports free.
 *
 * @throws {Failure} `no-port` where all are taken.
 */
export function claimPorts(nodes: number): ClaimedPorts {
  // They begin in different places: then hardly one meets another.
  const offset = crypto.getRandomValues(new Uint16Array(1))[0]!;
  for (let step = 0; step < PLACES; step++) {
    const place = (offset + step) % PLACES;
    const base = FIRST_PORT + place * PORTS;
    const claim = tryListen(base + CLAIM);
    if (claim === null) continue;
    const first = FIRST_REPLICA_PORT + place * REPLICA_PORTS;
    return {
      ports: portsFrom(base),
      replicaPorts: { first, last: first + REPLICA_PORTS - 1 },
      addresses: Array.from({ length: nodes }, (_, index) => `127.77.${place}.${index + 1}`),
      [Symbol.dispose]: () => claim.close(),
    };
  }
  throw new Failure(
    "no-port",
    `${PLACES} clusters for tests run on this machine already: wait until one has ended`,
  );
}

function tryListen(port: number): Deno.Listener | null {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}
