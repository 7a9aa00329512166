// A whole cluster on this machine: brought up, watched, taken down again.

import { Failure } from "../../core/errors.ts";
import type { AppView, NodeView } from "../../core/view.ts";
import { type Conductor, conductorAt } from "../conductor.ts";
import { deploy, type Outcome } from "../deploy.ts";
import { request } from "../http.ts";
import { openSigner } from "../keys.ts";
import { appsOf } from "../manifests.ts";
import { longestRollout } from "../up.ts";
import { daemonSpecs, nodeState, type Places } from "./daemons.ts";
import type { Shape } from "./options.ts";
import { findLayout, type Layout, type WantedPorts } from "./layout.ts";
import { buildFront, cacheImports, findKeys, holdState } from "./prepare.ts";
import { makeSecrets } from "./secrets.ts";
import { type DaemonSpec, Supervisor } from "./supervisor.ts";
import { sweepReplicas } from "./sweep.ts";
import { prepareTokens } from "./tokens.ts";

export interface ClusterPlan {
  /** The project's folder; absolute. */
  readonly root: string;
  /** Absolute. */
  readonly state: string;
  readonly ports: WantedPorts;
  /** Addresses of the nodes. */
  readonly addresses: readonly string[];
  readonly shape: Shape;
  /** Names of manifests of that shape. */
  readonly apps: readonly string[] | "all";
}

/** What a cluster tells while it lives. */
export interface ClusterListener {
  /** One line for people. */
  say(line: string): void;
  /** The addresses are decided; the daemons are being started. */
  onLayout?(layout: Layout): void;
  /** An app is coming along. */
  onView?(view: AppView): void;
}

/** A cluster that is up. */
export interface Cluster {
  readonly layout: Layout;
  readonly conductor: Conductor;
  readonly secretKey: string;
  readonly outcomes: readonly Outcome[];
  /** Rejects with a `Failure` when a daemon can no longer be started. */
  readonly failed: Promise<never>;
  /** Ends everything: daemons, replicas. */
  stop(): Promise<void>;
}

/** Where a shape's manifests and its programs are, and which of them serves the front. */
const SHAPE_PLACES: {
  readonly [S in Shape]: { manifests: string; programs: string; front: string };
} = {
  nine: { manifests: "market/manifests", programs: "market/services", front: "frontend-svc" },
  five: { manifests: "market/manifests/five", programs: "market/five", front: "core-api" },
};
const SUFFIX = ".skr8tr";
/** How long nodes and ingress may take from the daemons' start, ms. */
const READY_MS = 30_000;
/** How long nodes may take to stop their replicas before they are killed, ms. */
const STOP_MS = 15_000;
/** How long an answer of the conductor may take, ms. */
const ANSWER_MS = 5_000;
/** How often is asked whether something is there yet, ms. */
const ASK_MS = 15;

/**
 * Brings a cluster up and deploys its apps. When it fails or `signal` is aborted, nothing is left.
 *
 * @throws {Failure} what went wrong; `stopped` if the signal was aborted.
 */
export async function startCluster(
  plan: ClusterPlan,
  listener: ClusterListener,
  signal: AbortSignal,
): Promise<Cluster> {
  const held = await holdState(plan.state);
  const supervisor = new Supervisor((line) => listener.say(line));
  let states: readonly string[] = [];
  const stop = async () => {
    await supervisor.stop(STOP_MS);
    const swept = await sweepReplicas(states);
    if (swept.length > 0) listener.say(`killed what was left: ${swept.join(", ")}`);
    held.release();
  };
  try {
    const apps = await appNames(plan);
    const [keys] = await Promise.all([
      findKeys(plan.state),
      apps.includes(SHAPE_PLACES[plan.shape].front) ? buildFront(plan.root) : undefined,
    ]);
    if (keys.made) listener.say(`made the operator's key: ${keys.secret}`);
    const layout = findLayout(plan.ports, (line) => listener.say(line), plan.addresses);
    const places = placesOf(plan, keys.public);
    await prepareTokens(plan.state, layout, keys);
    states = layout.nodes.map((node) => nodeState(places, node.name));
    listener.onLayout?.(layout);
    const conductor = conductorAt({ ...layout.conductor, seal: {} }, ANSWER_MS);
    const outcomes = await Promise.race([
      supervisor.failed,
      stopped(signal),
      Promise.all([
        bringUp(plan, apps, listener, layout, conductor, keys.secret),
        startDaemons(supervisor, daemonSpecs(layout, places), conductor),
      ]).then(([outcomes]) => outcomes),
    ]);
    const { failed } = supervisor;
    return { layout, conductor, secretKey: keys.secret, outcomes, failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Conductor and tower first: what a node or an ingress says before they listen is lost, and said
 * again only a quarter of a second later.
 */
async function startDaemons(
  supervisor: Supervisor,
  specs: readonly DaemonSpec[],
  conductor: Conductor,
): Promise<void> {
  const first = specs.filter(({ name }) => name === "conductor" || name === "tower");
  for (const spec of first) supervisor.start(spec);
  await until("the conductor listens", async () => {
    await conductor.get("/api/nodes");
    return true;
  });
  for (const spec of specs) if (!first.includes(spec)) supervisor.start(spec);
}

function placesOf(plan: ClusterPlan, publicKey: string): Places {
  const deno = Deno.execPath();
  const path = [deno.slice(0, deno.lastIndexOf("/")), "/usr/local/bin", "/usr/bin", "/bin"];
  return { root: plan.root, state: plan.state, publicKey, path: path.join(":") };
}

function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Failure("stopped", "stopped before it was ready"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

async function appNames({ root, shape, apps }: ClusterPlan): Promise<readonly string[]> {
  if (apps !== "all") return apps;
  const entries = await Array.fromAsync(Deno.readDir(`${root}/${SHAPE_PLACES[shape].manifests}`));
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(SUFFIX));
  return names.map((name) => name.slice(0, -SUFFIX.length)).sort();
}

async function bringUp(
  { root, shape }: ClusterPlan,
  apps: readonly string[],
  listener: ClusterListener,
  layout: Layout,
  conductor: Conductor,
  keyPath: string,
): Promise<Outcome[]> {
  const say = (line: string) => listener.say(line);
  const { manifests, programs } = SHAPE_PLACES[shape];
  const [signer, specs] = await Promise.all([
    openSigner(keyPath),
    appsOf(apps.map((app) => `${root}/${manifests}/${app}${SUFFIX}`)),
    cacheImports(root, apps.map((app) => `${programs}/${app}/main.ts`), say),
    until("the nodes have joined", () => nodesReady(conductor, layout.nodes.length)),
  ]);
  await makeSecrets(specs, conductor, signer, keyPath, ANSWER_MS);
  const outcomes = await deploy({
    specs,
    conductor,
    signer,
    keyPath,
    timeoutMs: ANSWER_MS,
    waitMs: longestRollout(specs),
    onView: (view) => listener.onView?.(view),
  });
  const lost = outcomes.find((outcome) => outcome.result === "failed");
  if (lost) throw deployFailure(lost);
  const routed = specs.filter((spec) => spec.routes.length > 0);
  await until("the ingress serves them", () => ingressServes(layout, routed));
  return outcomes;
}

function deployFailure(outcome: Outcome): Failure {
  const where = outcome.replica ? ` (${outcome.replica} on ${outcome.node})` : "";
  const lines = (outcome.lines ?? []).map((line) => `\n  | ${line}`).join("");
  return new Failure("deploy", `${outcome.app}${where}: ${outcome.reason ?? "failed"}${lines}`);
}

/** Asks until it is so; a peer that does not answer yet is asked again. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + READY_MS;
  while (performance.now() < endMs) {
    try {
      if (await isSo()) return;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
  throw new Failure("late", `waited ${READY_MS / 1000} s until ${what}, in vain`);
}

async function nodesReady(conductor: Conductor, count: number): Promise<boolean> {
  const { nodes } = await conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
  // A node that has not measured its memory yet would get nothing.
  const able = nodes.filter((node) => node.state === "ready" && node.ramTotalBytes > 0);
  return able.length >= count;
}

/** What the ingress's own port says, as far as we look at it. */
interface IngressStatus {
  readonly routes: number;
  readonly replicas: readonly { readonly app: string; readonly leaving: boolean }[];
}

async function ingressServes(
  layout: Layout,
  apps: readonly { readonly name: string; readonly replicas: number }[],
): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await request(layout.ingressState, { method: "GET", path: "/status", signal });
  const status: IngressStatus = JSON.parse((await Array.fromAsync(response.body)).join(""));
  const count = (app: string) =>
    status.replicas.filter((replica) => replica.app === app && !replica.leaving).length;
  return status.routes > 0 && apps.every(({ name, replicas }) => count(name) >= replicas);
}
