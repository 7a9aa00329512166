/**
 * A whole cluster in virtual time: the real machines of all daemons, a network that loses, repeats,
 * delays, reorders and parts, and faults at any moment. The same seed gives the same world.
 */

import { createPrng, type Prng } from "../../core/prng.ts";
import { type Cast, Checker, Violation } from "./checks.ts";
import {
  ConductorHost,
  type Ground,
  IngressHost,
  NodeHost,
  resetStarts,
  TowerHost,
} from "./hosts.ts";
import { Network } from "./network.ts";
import { Operator } from "./operator.ts";
import { Timeline } from "./queue.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Shares of datagrams lost and repeated, and their longest delay. */
  readonly loss: number;
  readonly repeat: number;
  readonly delayMs: number;
  /** How long faults go on, in virtual ms. */
  readonly faultMs: number;
  /** How long the cluster then has to come to rest. */
  readonly restMs: number;
  /** Whether daemons, nodes and programs die and hosts are parted. */
  readonly crashes: boolean;
  readonly planted?: Ground["planted"];
}

export interface Outcome {
  readonly seed: number;
  /** What went wrong; `null` if nothing did. */
  readonly violation: string | null;
  /** Virtual ms from the last fault until everything was as signed. */
  readonly settledMs: number;
  readonly datagrams: number;
  readonly checked: number;
  readonly story: readonly string[];
}

export const MILD: Omit<WorldOptions, "seed"> = {
  nodes: 3,
  loss: 0.1,
  repeat: 0.1,
  delayMs: 20,
  faultMs: 12_000,
  restMs: 60_000,
  crashes: false,
};

export const WILD: Omit<WorldOptions, "seed"> = {
  ...MILD,
  loss: 0.2,
  repeat: 0.3,
  delayMs: 60,
  faultMs: 20_000,
  crashes: true,
};

/** Runs one world to its end. */
export function simulate(options: WorldOptions): Outcome {
  resetStarts();
  const prng = createPrng(options.seed);
  const timeline = new Timeline();
  const network = new Network(timeline, createPrng(prng.below(2 ** 31)));
  const checker = new Checker();
  const planted = options.planted === undefined ? {} : { planted: options.planted };
  const ground: Ground = { timeline, network, prng, witness: checker, ...planted };
  const tower = new TowerHost(ground);
  const conductor = new ConductorHost(ground, tower);
  const ingress = new IngressHost(ground, tower);
  const nodes = Array.from(
    { length: options.nodes },
    (_, index) => new NodeHost(ground, conductor, index + 1),
  );
  const cast: Cast = {
    timeline,
    conductor,
    tower,
    ingress,
    nodes,
    operator: new Operator(ground),
  };
  checker.cast = cast;
  const result = (violation: string | null, settledMs: number): Outcome => ({
    seed: options.seed,
    violation,
    settledMs,
    datagrams: network.counters.sent,
    checked: checker.checked,
    story: checker.story,
  });
  try {
    for (const daemon of [tower, conductor, ingress, ...nodes]) daemon.start();
    live(cast, checker, network, prng, options);
    const endMs = timeline.nowMs + options.restMs;
    const healedMs = timeline.nowMs;
    let missing = checker.unfinished();
    while (timeline.nowMs < endMs && missing.length > 0) {
      run(timeline, checker, 250);
      missing = checker.unfinished();
    }
    if (missing.length > 0) return result(`never came to rest: ${missing.join("; ")}`, Infinity);
    return result(null, timeline.nowMs - healedMs);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return result(error.message, Infinity);
  }
}

function run(timeline: Timeline, checker: Checker, forMs: number): void {
  const untilMs = timeline.nowMs + forMs;
  while (timeline.step(untilMs)) checker.look();
}

/** The time of trouble: operators work, things break and come back; at the end all is healed. */
function live(
  cast: Cast,
  checker: Checker,
  network: Network,
  prng: Prng,
  options: WorldOptions,
): void {
  const { timeline, operator } = cast;
  const { loss, repeat, delayMs } = options;
  Object.assign(network.weather, { loss, repeat, delayMs });
  operator.up("web", 1 + prng.below(4), false);
  operator.up("shop", 1 + prng.below(3), true);
  const endMs = timeline.nowMs + options.faultMs;
  while (timeline.nowMs < endMs) {
    run(timeline, checker, 200 + prng.below(1_500));
    operate(cast, prng);
    if (options.crashes) disturb(cast, checker, network, prng);
  }
  checker.tell("everything is healed");
  network.heal();
  Object.assign(network.weather, { loss: 0, repeat: 0, delayMs: 2 });
  cast.conductor.diskFull = false;
  for (const daemon of [cast.tower, cast.conductor, cast.ingress, ...cast.nodes]) daemon.start();
}

function operate({ operator }: Cast, prng: Prng): void {
  if (!operator.idle) return;
  const choice = prng.below(10);
  if (choice < 3) operator.up("web", 1 + prng.below(5), false);
  else if (choice === 3) operator.up("shop", 1 + prng.below(3), true);
  else if (choice === 4) operator.up("late", 1, false);
  else if (choice === 5 && prng.below(2) === 0) operator.down("late");
}

/** Breaks one thing, now and then, and mends it some time later. */
function disturb(cast: Cast, checker: Checker, network: Network, prng: Prng): void {
  const { timeline, conductor, tower, ingress, nodes } = cast;
  const node = nodes[prng.below(nodes.length)]!;
  const againMs = 50 + prng.below(6_000);
  const later = (work: () => void) => timeline.after(againMs, work);
  const restart = (daemon: { name: string; kill(): void; start(): void }) => {
    checker.tell(`${daemon.name} is killed for ${againMs} ms`);
    daemon.kill();
    later(() => {
      checker.tell(`${daemon.name} starts again`);
      daemon.start();
    });
  };
  switch (prng.below(10)) {
    case 0:
      return restart(conductor);
    case 1:
      return restart(tower);
    case 2:
      return restart(ingress);
    case 3:
    case 4:
      return restart(node);
    case 5:
      checker.tell(`${node.name} loses power`);
      node.powerOff();
      return later(() => node.start());
    case 6: {
      const running = node.running();
      const victim = running[prng.below(Math.max(1, running.length))];
      if (victim) node.end(victim, { signal: "SIGKILL" });
      return;
    }
    case 7: {
      const oneWay = prng.below(2) === 0;
      checker.tell(`${node.name} is cut off from the conductor${oneWay ? ", one way" : ""}`);
      network.cut(node.host, conductor.host, oneWay);
      if (prng.below(2) === 0) network.cut(node.host, tower.host, oneWay);
      return later(() => network.heal());
    }
    case 8:
      checker.tell(`the conductor's disk is full for ${againMs} ms`);
      conductor.diskFull = true;
      return later(() => conductor.diskFull = false);
    default:
      return;
  }
}
