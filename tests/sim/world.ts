/**
 * A whole cluster in virtual time: the real machines of all daemons, a network that loses, repeats,
 * delays, reorders and parts, clients, operators, and faults at any moment. The same seed gives the
 * same world.
 */

import { createPrng } from "../../core/prng.ts";
import type { Cast } from "./cast.ts";
import { Checker } from "./checks.ts";
import { Clients } from "./clients.ts";
import { ConductorHost } from "./conductor_host.ts";
import { type Ground, type Planted, resetStarts } from "./daemon.ts";
import { lostCargos } from "./cargo_checks.ts";
import { daemonsOf, doStep, healAll } from "./deeds.ts";
import { IngressHost } from "./ingress_host.ts";
import { Loads } from "./loads.ts";
import { Network, type Weather } from "./network.ts";
import { NodeHost } from "./node_host.ts";
import { Operator } from "./operator.ts";
import { Timeline } from "./queue.ts";
import { unfinished } from "./rest.ts";
import { SharedLog } from "./shared_log.ts";
import { planSteps, type Step } from "./steps.ts";
import { TowerHost } from "./tower_host.ts";
import { Violation } from "./violation.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly ingresses: number;
  /** More than one: they share a store, and one of them leads; absent: one. */
  readonly conductors?: number;
  /** More than one: nodes register with all, each ingress watches one of them; absent: one. */
  readonly towers?: number;
  /** How datagrams fare until all is healed. */
  readonly weather: Weather;
  /** How many things happen. */
  readonly steps: number;
  /** Whether daemons, nodes, disks, clocks and programs fail and hosts are parted. */
  readonly faults: boolean;
  /** How long the cluster has to come to rest after the last fault, in virtual ms. */
  readonly restMs: number;
  readonly planted?: Planted;
  /** These steps instead of those that the seed makes up. */
  readonly plan?: readonly Step[];
}

export interface Outcome {
  readonly seed: number;
  /** What went wrong; `null` if nothing did. */
  readonly violation: string | null;
  /** Virtual ms from the last fault until everything was as signed. */
  readonly settledMs: number;
  readonly virtualMs: number;
  readonly datagrams: number;
  readonly checked: number;
  readonly requests: { readonly asked: number; readonly lost: number; readonly excused: number };
  readonly plan: readonly Step[];
  readonly story: readonly string[];
}

export const MILD: Omit<WorldOptions, "seed"> = {
  nodes: 3,
  ingresses: 2,
  weather: { loss: 0.1, repeat: 0.1, delayMs: 20 },
  steps: 12,
  faults: false,
  restMs: 60_000,
};

export const WILD: Omit<WorldOptions, "seed"> = {
  ...MILD,
  weather: { loss: 0.2, repeat: 0.3, delayMs: 60 },
  steps: 20,
  faults: true,
};

/** Three conductors around one store, and faults of both. */
export const SEVERAL: Omit<WorldOptions, "seed"> = { ...WILD, conductors: 3 };

/** Fewer requests a second than this say nothing about what a fault does to them. */
const OPERATIONS_PER_SECOND = 50;

/** The world at its beginning; nobody has been started yet. */
export function createCast(options: WorldOptions): Cast {
  resetStarts();
  const prng = createPrng(options.seed);
  const timeline = new Timeline();
  // A full minute, at which jobs are due, comes while things happen.
  timeline.epochMs += 30_000 + prng.below(15_000);
  const network = new Network(timeline, createPrng(prng.below(2 ** 31)));
  const checker = new Checker(timeline);
  const planted = options.planted === undefined ? {} : { planted: options.planted };
  const loads = new Loads();
  const ground: Ground = {
    timeline,
    network,
    prng,
    loads,
    suppliers: new Map(),
    witness: checker,
    ...planted,
  };
  const towers = Array.from(
    { length: options.towers ?? 1 },
    (_, index) => new TowerHost(ground, index + 1),
  );
  const { conductors: count = 1 } = options;
  const store = count > 1 ? new SharedLog(ground) : null;
  const conductors = Array.from(
    { length: count },
    (_, index) => new ConductorHost(ground, towers, index + 1, store),
  );
  const ingresses = Array.from(
    { length: options.ingresses },
    // Each begins with another one.
    (_, index) =>
      new IngressHost(
        ground,
        towers.map((_, at) => towers[(at + index) % towers.length]!),
        index + 1,
      ),
  );
  const nodes = Array.from(
    { length: options.nodes },
    (_, index) => new NodeHost(ground, conductors, index + 1, towers.length),
  );
  const programs = () => nodes.flatMap((node) => node.processes);
  for (const node of nodes) node.programs = programs;
  const operator = new Operator(ground, conductors);
  const clients = new Clients(ground, { ingresses, nodes, operator, judge: checker });
  const cast: Cast = {
    timeline,
    network,
    loads,
    conductors,
    get conductor() {
      return conductors.find((each) => each.leads) ?? conductors[0]!;
    },
    store,
    towers,
    ingresses,
    nodes,
    operator,
    clients,
    checker,
    mayFail: options.faults,
  };
  checker.cast = cast;
  checker.excuses.begin(towers);
  return cast;
}

/** Runs one world to its end. */
export function simulate(options: WorldOptions): Outcome {
  const cast = createCast(options);
  const { timeline, checker, network, clients, operator } = cast;
  // What happens is made up by a generator of its own, so that leaving a step out of the plan
  // changes as little as possible of the rest.
  const plan = options.plan ?? planSteps(createPrng(options.seed ^ 0x5eed), options);
  const result = (violation: string | null, settledMs: number): Outcome => ({
    seed: options.seed,
    violation,
    settledMs,
    virtualMs: timeline.nowMs,
    datagrams: network.counters.sent,
    checked: checker.checked,
    requests: {
      asked: clients.counters.asked,
      lost: clients.counters.lost,
      excused: checker.excused,
    },
    plan,
    story: checker.story,
  });
  try {
    for (const daemon of daemonsOf(cast)) daemon.start();
    clients.start();
    Object.assign(network.weather, options.weather);
    for (const step of plan) {
      run(cast, step.atMs);
      doStep(cast, step);
    }
    // Everything that was to be mended in time is mended by then.
    run(cast, timeline.nowMs + 1_000);
    healAll(cast);
    // Where clocks were set wrong, nothing is taken that was signed up to the second of what the replay
    // guard forgot last.
    run(cast, timeline.nowMs + 1_000);
    const forgottenMs = (cast.conductor.machine?.state.forgottenUnixS ?? 0) * 1_000;
    run(cast, Math.max(timeline.nowMs, forgottenMs + 1_000 - timeline.epochMs));
    const healedMs = timeline.nowMs;
    // What was lost with the last disk that had it is brought once more.
    for (const each of lostCargos(cast)) operator.up(...each);
    // Nobody leaves a rollout paused for ever.
    for (const app of cast.operator.wishes.keys()) cast.operator.verb("RESUME", app);
    // One node may stay barred, but not a volume's home, which nothing else can stand in for.
    const homes = [...cast.conductor.machine?.state.apps.values() ?? []].map((app) => app.home);
    const barred = cast.nodes.find((node) => !homes.includes(node.id));
    for (const node of cast.nodes) {
      if (node !== barred) cast.operator.node("UNCORDON", node.name);
    }
    let missing = unfinished(cast);
    while (timeline.nowMs < healedMs + options.restMs && missing.length > 0) {
      run(cast, timeline.nowMs + 250);
      missing = unfinished(cast);
    }
    if (missing.length > 0) return result(`never came to rest: ${missing.join("; ")}`, Infinity);
    const perSecond = clients.counters.asked / (healedMs / 1000);
    if (options.plan === undefined && perSecond < OPERATIONS_PER_SECOND) {
      return result(`void: only ${perSecond.toFixed(1)} requests a second`, Infinity);
    }
    return result(null, timeline.nowMs - healedMs);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return result(error.message, Infinity);
  }
}

/** Lets time pass until then. */
export function run(cast: Cast, untilMs: number): void {
  const { timeline, checker } = cast;
  for (;;) {
    const nextMs = Math.min(untilMs, (Math.floor(timeline.nowMs / 250) + 1) * 250);
    while (timeline.step(nextMs));
    if (nextMs % 250 === 0) checker.lookAround();
    if (nextMs >= untilMs) return;
  }
}
