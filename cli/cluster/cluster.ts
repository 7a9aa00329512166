// A whole cluster on this machine: brought up, watched, taken down again.

import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import type { AppView, NodeView } from "../../core/view.ts";
import { type Conductor, conductorAt } from "../conductor.ts";
import { deploy, type Outcome } from "../deploy.ts";
import { request } from "../http.ts";
import { openSigner } from "../keys.ts";
import { appsWithFolders } from "../manifests.ts";
import { ship } from "../ship.ts";
import { longestRollout } from "../up.ts";
import { daemonSpecs, nodeState, type Places } from "./daemons.ts";
import { findLayout, type Layout, type PortRange, type WantedPorts } from "./layout.ts";
import type { Shape } from "./options.ts";
import type { Asking } from "../commanding.ts";
import { appsOfShape, makeWay, manifestFile, SHAPE_PLACES } from "./shapes.ts";
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
  /** What replicas listen on where their own ports are taken, for all nodes together. */
  readonly replicaPorts?: PortRange;
  /** In which shape the market is deployed (nine). */
  readonly shape?: Shape;
  /** Names of manifests of that shape. */
  readonly apps: readonly string[] | "all";
  /** Folder in which replicas are started; absent: the project's. */
  readonly workdir?: string;
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
  /**
   * Deploys apps and waits until they are ready and the ingress serves them.
   *
   * @param folders app -> the folder that paths in its manifest are relative to
   * @throws {Failure} `deploy` with what went wrong and the replica's last lines, `refused`, `late`.
   */
  up(specs: readonly AppSpec[], folders: ReadonlyMap<string, string>): Promise<Outcome[]>;
  /**
   * Ends a node and all that runs on it at once, as if its machine had lost its power.
   *
   * @throws {Failure} `state` if it is killed already.
   */
  kill(node: string): Promise<void>;
  /** Starts a node that was killed. @throws {Failure} `state` if it was not. */
  start(node: string): void;
  /** Ends everything: daemons, replicas. */
  stop(): Promise<void>;
}

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
export async function launchCluster(
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
      apps.includes(SHAPE_PLACES[plan.shape ?? "nine"].front) ? buildFront(plan.root) : undefined,
    ]);
    if (keys.made) listener.say(`made the operator's key: ${keys.secret}`);
    const say = (line: string) => listener.say(line);
    const layout = findLayout(plan.ports, say, plan.addresses, plan.replicaPorts);
    const places = placesOf(plan, keys.public);
    await prepareTokens(plan.state, layout, keys);
    states = layout.nodes.map((node) => nodeState(places, node.name));
    listener.onLayout?.(layout);
    const conductor = conductorAt({ ...layout.conductor, seal: {} }, ANSWER_MS);
    // The signer's first run takes a moment, in which the daemons start.
    const asking = openSigner(keys.secret).then((signer): Asking => (
      { conductor, signer, keyPath: keys.secret, timeoutMs: ANSWER_MS }
    ));
    const up = deployer(asking, layout, listener);
    const daemons = daemonSpecs(layout, places);
    const [outcomes] = await Promise.race([
      supervisor.failed,
      stopped(signal),
      Promise.all([
        bringUp(plan, apps, listener, layout, asking, up),
        startDaemons(supervisor, daemons, conductor),
      ]),
    ]);
    return {
      layout,
      conductor,
      secretKey: keys.secret,
      outcomes,
      failed: supervisor.failed,
      up,
      async kill(node) {
        if (!supervisor.keeps(node)) throw new Failure("state", `${node} does not run`);
        await supervisor.kill(node);
        await sweepReplicas([nodeState(places, node)]);
      },
      start(node) {
        if (supervisor.keeps(node)) throw new Failure("state", `${node} runs already`);
        supervisor.start(daemons.find(({ name }) => name === node)!);
      },
      stop,
    };
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
  const { root, state, workdir = root } = plan;
  return { root, state, workdir, publicKey, path: path.join(":") };
}

function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Failure("stopped", "stopped before it was ready"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

async function appNames({ root, shape = "nine", apps }: ClusterPlan): Promise<readonly string[]> {
  return apps === "all" ? await appsOfShape(root, shape) : apps;
}

type Up = Cluster["up"];

/** Waits for the nodes, and deploys the market's apps. */
async function bringUp(
  { root, shape = "nine" }: ClusterPlan,
  apps: readonly string[],
  listener: ClusterListener,
  layout: Layout,
  asking: Promise<Asking>,
  up: Up,
): Promise<Outcome[]> {
  const joined = asking.then(({ conductor }) =>
    until("the nodes have joined", () => nodesReady(conductor, layout.nodes.map((n) => n.name)))
  );
  if (apps.length === 0) return await joined.then(() => []);
  const { programs } = SHAPE_PLACES[shape];
  const [{ specs, folders }] = await Promise.all([
    appsWithFolders(apps.map((app) => manifestFile(root, shape, app))),
    cacheImports(
      root,
      apps.map((app) => `${programs}/${app}/main.ts`),
      (line) => listener.say(line),
    ),
    joined,
  ]);
  const { conductor, signer, keyPath, timeoutMs } = await asking;
  const gone = await makeWay(root, shape, await asking);
  if (gone.length > 0) listener.say(`took down what was up in another shape: ${gone.join(", ")}`);
  await makeSecrets(specs, conductor, signer, keyPath, timeoutMs);
  return await up(specs.map((spec) => atHome(spec, layout)), folders);
}

/** An app that writes where the shop is knows where it is here: the ingress may have another port. */
function atHome(spec: AppSpec, { ingress }: Layout): AppSpec {
  if (spec.env.SHOP_URL === undefined) return spec;
  return { ...spec, env: { ...spec.env, SHOP_URL: `http://${showAddress(ingress)}` } };
}

/** What deploys apps to a cluster, and shows their progress. */
function deployer(asking: Promise<Asking>, layout: Layout, listener: ClusterListener): Up {
  return async (written, folders) => {
    const specs = await ship(written, folders, await asking);
    const outcomes = await deploy({
      ...await asking,
      specs,
      waitMs: longestRollout(specs),
      onView: (view) => listener.onView?.(view),
    });
    const lost = outcomes.find((outcome) => outcome.result === "failed");
    if (lost) throw deployFailure(lost);
    const routed = specs.filter((spec) => spec.routes.length > 0);
    if (routed.length > 0) {
      await until("the ingress serves them", () => ingressServes(layout, routed));
    }
    return outcomes;
  };
}

function deployFailure(outcome: Outcome): Failure {
  const where = outcome.replica ? ` (${outcome.replica} on ${outcome.node})` : "";
  const lines = (outcome.lines ?? []).map((line) => `\n  | ${line}`).join("");
  return new Failure("deploy", `${outcome.app}${where}: ${outcome.reason ?? "failed"}${lines}`);
}

/**
 * Asks until it is so; a peer that does not answer yet is asked again.
 *
 * @throws {Failure} `late`.
 */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
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

/** Says whether these nodes can be given replicas. */
async function nodesReady(conductor: Conductor, names: readonly string[]): Promise<boolean> {
  const { nodes } = await conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
  // A node that has not measured its memory yet would get nothing.
  const able = nodes.filter((node) => node.state === "ready" && node.ramTotalBytes > 0);
  return names.every((name) => able.some((node) => node.name === name));
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
