// How each daemon of the cluster is started: its entry, its permissions, its flags.

import { type Address, showAddress } from "../../core/address.ts";
import { environmentOf, permissionFlags, type Program } from "../../core/permissions.ts";
import type { Layout, NodePlace } from "./layout.ts";
import type { DaemonSpec } from "./supervisor.ts";

/** Everything of a local cluster stays on this machine. */
export const NETWORKS: readonly string[] = ["127.0.0.0/8"];

/** Where things are on disk; all absolute. */
export interface Places {
  /** The project's folder. */
  readonly root: string;
  readonly state: string;
  readonly publicKey: string;
  /** Folder in which replicas are started; absent: the project's. */
  readonly workdir?: string;
  /** Where replicas' programs are looked for. */
  readonly path: string;
}

/** Cores that a node announces at least: nine services ask for 4.5 in all. */
const LEAST_CORES = 2;

/** What every daemon is told. */
const COMMON = ["--stop-with-stdin"];

/** All daemons of a cluster, in the order in which they are best started. */
export function daemonSpecs(layout: Layout, places: Places): DaemonSpec[] {
  return [
    conductor(layout, places),
    tower(layout, places),
    ...layout.nodes.map((node) => nodeSpec(node, layout, places)),
    ingress(layout, places),
  ];
}

function spec(
  name: string,
  entry: Program,
  places: Places,
  permissions: readonly string[],
  flags: readonly string[],
): DaemonSpec {
  return {
    name,
    args: [
      "run",
      "--quiet",
      `--config=${places.root}/deno.json`,
      ...permissions,
      `${places.root}/${entry}/main.ts`,
      ...COMMON,
      ...flags,
    ],
    environment: environmentOf(entry),
    log: `${places.state}/logs/${name}.log`,
  };
}

function conductor(layout: Layout, places: Places): DaemonSpec {
  const { hostname } = layout.conductor;
  const state = `${places.state}/conductor`;
  const permissions = permissionFlags("conductor", {
    bind: hostname,
    networks: NETWORKS,
    state,
    pubkeys: [places.publicKey],
  });
  return spec("conductor", "conductor", places, permissions, [
    ...listen(layout.conductor),
    `--mesh-port=${layout.mesh.port}`,
    `--tower=${showAddress(layout.tower)}`,
    `--pubkey=${places.publicKey}`,
    `--state=${state}`,
  ]);
}

function tower(layout: Layout, places: Places): DaemonSpec {
  const permissions = permissionFlags("tower", {
    bind: layout.tower.hostname,
    networks: NETWORKS,
    state: nodeState(places, "tower"),
  });
  return spec("tower", "tower", places, permissions, [
    ...listen(layout.tower),
    `--dns=${layout.dns.port}`,
    ...joining(places, layout, "tower"),
  ]);
}

function ingress(layout: Layout, places: Places): DaemonSpec {
  const { hostname, port } = layout.ingress;
  const permissions = permissionFlags("ingress", {
    bind: hostname,
    networks: NETWORKS,
    state: nodeState(places, "ingress"),
  });
  return spec("ingress", "ingress", places, permissions, [
    `--bind=${hostname}`,
    `--http=${port}`,
    `--admin=${layout.ingressState.port}`,
    `--tower=${showAddress(layout.tower)}`,
    ...joining(places, layout, "ingress"),
  ]);
}

function nodeSpec(node: NodePlace, layout: Layout, places: Places): DaemonSpec {
  const state = nodeState(places, node.name);
  const permissions = permissionFlags("node", {
    bind: node.address.hostname,
    networks: NETWORKS,
    state,
    pubkeys: [places.publicKey],
    root: `${places.root}/`,
  });
  return spec(node.name, "node", places, permissions, [
    ...listen(node.address),
    `--name=${node.name}`,
    `--conductor=${showAddress(layout.mesh)}`,
    `--follow=${showAddress(layout.conductor)}`,
    `--tower=${showAddress(layout.tower)}`,
    `--pubkey=${places.publicKey}`,
    `--join=${tokenPath(state)}`,
    `--path=${places.path}`,
    `--workdir=${places.workdir ?? places.root}`,
    `--metrics=${node.metrics.port}`,
    `--ports=${node.ports.first}-${node.ports.last}`,
    // Each node announces the whole machine; on a small one three still hold the market's replicas.
    `--cpus=${Math.max(LEAST_CORES, navigator.hardwareConcurrency)}`,
    "--stop-replicas",
    `--state=${state}`,
  ]);
}

/** State and token of the tower or the ingress. */
function joining(places: Places, layout: Layout, name: string): string[] {
  const state = nodeState(places, name);
  return [
    `--state=${state}`,
    `--join=${tokenPath(state)}`,
    `--conductor=${showAddress(layout.conductor)}`,
  ];
}

/** Where the token lies with which a daemon joins. */
export function tokenPath(state: string): string {
  return `${state}/join.token`;
}

/** A daemon's state folder. */
export function nodeState(places: Pick<Places, "state">, name: string): string {
  return `${places.state}/${name}`;
}

function listen({ hostname, port }: Address): string[] {
  return [`--bind=${hostname}`, `--port=${port}`];
}
