// Who listens where. A port that somebody else has is stepped around and named.

import type { Address } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";

/** Addresses of one cluster on this machine. */
export interface Layout {
  /** Operators' commands, UDP and TCP. */
  readonly conductor: Address;
  /** Nodes' beats, UDP. */
  readonly mesh: Address;
  readonly tower: Address;
  /** DNS of the tower, UDP and TCP. */
  readonly dns: Address;
  readonly nodes: readonly NodePlace[];
  /** HTTP for clients. */
  readonly ingress: Address;
  /** Metrics and drain state of the ingress, TCP. */
  readonly ingressState: Address;
}

/** A node's name, its own listener, and its metrics. */
export interface NodePlace {
  readonly name: string;
  readonly address: Address;
  readonly metrics: Address;
  /** What its replicas listen on where their own ports are taken. */
  readonly ports: PortRange;
}

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Where each listener would be if every port were free. */
export interface WantedPorts {
  readonly conductor: number;
  readonly mesh: number;
  readonly tower: number;
  readonly dns: number;
  readonly node: number;
  readonly nodeMetrics: number;
  readonly ingress: number;
  readonly ingressState: number;
}

/** The ports that every document names; HTTP at 8080, since 80 is not everybody's. */
export const STANDARD_PORTS: WantedPorts = {
  mesh: 7770,
  conductor: 7771,
  tower: 7772,
  dns: 7753,
  node: 7775,
  nodeMetrics: 9100,
  ingress: 8080,
  ingressState: 7776,
};

/** Ports from `base` on, for clusters beside another. */
export function portsFrom(base: number): WantedPorts {
  return {
    mesh: base,
    conductor: base + 1,
    tower: base + 2,
    dns: base + 3,
    node: base + 5,
    nodeMetrics: base + 10,
    ingress: base + 20,
    ingressState: base + 6,
  };
}

const LOOPBACK = "127.0.0.1";
/** Ports for replicas. Each node has its share of them, so that nodes do not race for one. */
const REPLICA_PORTS: PortRange = { first: 20_000, last: 28_999 };
/** Each node has an address of its own, as on a network, where the system has these (Linux). */
export const NODE_ADDRESSES: readonly string[] = ["127.0.0.11", "127.0.0.12", "127.0.0.13"];
/** How many ports after a taken one are tried. */
const STEPS = 200;

type Protocol = "udp" | "tcp";

/**
 * Finds a free port for every listener, from the wanted one on. Where the nodes' addresses do not
 * exist (macOS) all share one, with ports of their own.
 *
 * @param say hears of each port that was taken.
 * @throws {Failure} `no-port` where a whole range is taken; `cannot-listen` where listening fails
 *   for another reason.
 */
export function findLayout(
  wanted: WantedPorts,
  say: (line: string) => void,
  addresses: readonly string[] = NODE_ADDRESSES,
  replicaPorts: PortRange = REPLICA_PORTS,
): Layout {
  const given = new Set<string>();
  const find = (
    who: string,
    hostname: string,
    port: number,
    protocols: readonly Protocol[],
  ): Address => {
    for (let at = port; at < port + STEPS && at < 65_536; at++) {
      if (given.has(`${hostname}:${at}`) || !isFree(hostname, at, protocols)) continue;
      given.add(`${hostname}:${at}`);
      if (at !== port) say(`port ${port} is taken: ${who} listens at ${hostname}:${at}`);
      return { hostname, port: at };
    }
    throw new Failure(
      "no-port",
      `${who} finds no free port from ${port} to ${Math.min(port + STEPS, 65_536) - 1} on ` +
        `${hostname}: stop what has them, or choose others with --port-base`,
    );
  };
  const both = ["udp", "tcp"] as const;
  const share = Math.floor((replicaPorts.last - replicaPorts.first + 1) / addresses.length);
  const own = new Set(addresses).size === addresses.length && addresses.every(hasAddress);
  return {
    mesh: find("the conductor's mesh", LOOPBACK, wanted.mesh, ["udp"]),
    conductor: find("the conductor", LOOPBACK, wanted.conductor, both),
    tower: find("the tower", LOOPBACK, wanted.tower, both),
    dns: find("the tower's DNS", LOOPBACK, wanted.dns, both),
    nodes: addresses.map((address, index) => {
      const name = `node-${index + 1}`;
      const hostname = own ? address : LOOPBACK;
      // On one address the nodes keep clear of the ingress's port, which follows theirs.
      const step = own ? 0 : index * 100;
      return {
        name,
        address: find(name, hostname, wanted.node + step, both),
        metrics: find(`the metrics of ${name}`, hostname, wanted.nodeMetrics + step, ["tcp"]),
        ports: {
          first: replicaPorts.first + index * share,
          last: replicaPorts.first + (index + 1) * share - 1,
        },
      };
    }),
    ingressState: find("the ingress's state", LOOPBACK, wanted.ingressState, ["tcp"]),
    ingress: find("the ingress", LOOPBACK, wanted.ingress, ["tcp"]),
  };
}

/** Says whether this machine answers at the address. */
function hasAddress(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrNotAvailable) return false;
    throw cannotListen(hostname, 0, error);
  }
}

/** Says whether a listener could have the port, by trying. */
function isFree(hostname: string, port: number, protocols: readonly Protocol[]): boolean {
  try {
    for (const protocol of protocols) {
      if (protocol === "tcp") Deno.listen({ hostname, port }).close();
      else Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw cannotListen(hostname, port, error);
  }
}

function cannotListen(hostname: string, port: number, error: unknown): Failure {
  return new Failure(
    "cannot-listen",
    `cannot listen on ${hostname}:${port}: ${(error as Error).message}`,
  );
}
