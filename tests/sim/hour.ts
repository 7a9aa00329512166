/**
 * An hour (or however long) of beats in virtual time: a conductor's and many nodes' real machines on
 * a network that loses datagrams, with daemons that are held up now and then, as on busy machines.
 * Nobody dies in it, so whoever is called dead is so wrongly. Then nodes lose power, one by one.
 */

import { createPrng } from "../../core/prng.ts";
import { ConductorHost } from "./conductor_host.ts";
import { type Ground, resetStarts } from "./daemon.ts";
import { Loads } from "./loads.ts";
import { Network } from "./network.ts";
import { NodeHost } from "./node_host.ts";
import { Timeline } from "./queue.ts";
import { TowerHost } from "./tower_host.ts";

export interface HourOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Share of datagrams lost, 0 to 1. */
  readonly loss: number;
  /** The longest stall of a daemon, and how often each has one on average, in ms; 0 for none. */
  readonly stallMs: number;
  readonly stallEveryMs: number;
  /** How many nodes stall beside the conductor; all of them where it is absent. */
  readonly stalled?: number;
  /** How many nodes lose power at the end, one after another. */
  readonly losses: number;
}

export interface HourOutcome {
  /** Deaths of nodes that lived, as the conductor told them. */
  readonly falseDeaths: readonly string[];
  readonly sent: number;
  readonly lost: number;
  readonly suspected: number;
  readonly refuted: number;
  readonly witnessed: number;
  readonly stalls: number;
  /** From each power loss until the node was called dead, virtual ms. */
  readonly deadMs: readonly number[];
}

export function simulateHour(options: HourOptions): HourOutcome {
  resetStarts();
  const prng = createPrng(options.seed);
  const timeline = new Timeline();
  const network = new Network(timeline, createPrng(prng.below(2 ** 31)));
  const deaths: string[] = [];
  const ground: Ground = {
    timeline,
    network,
    prng,
    loads: new Loads(),
    suppliers: new Map(),
    witness: {
      stepped() {},
      started() {},
      ended() {},
      signalled() {},
      appended() {},
      led() {},
      gaveBack() {},
      obeyed() {},
      tell(text) {
        if (/ is (?:dead|given up|not heard)/.test(text)) deaths.push(text);
      },
    },
  };
  const conductor = new ConductorHost(ground, [new TowerHost(ground)]);
  const nodes = Array.from(
    { length: options.nodes },
    (_, index) => new NodeHost(ground, [conductor], index + 1),
  );
  conductor.start();
  // Nodes do not start in step.
  for (const node of nodes) timeline.after(prng.next() * 250, () => node.start());
  run(timeline, 10_000);
  Object.assign(network.weather, { loss: options.loss, repeat: 0.05, delayMs: 5 });
  let stalls = 0;
  const stallAgain = (daemon: ConductorHost | NodeHost) => {
    // Exponential: stalls come at any moment, in bunches, too.
    const inMs = -Math.log(1 - prng.next()) * options.stallEveryMs;
    timeline.after(inMs, () => {
      stalls++;
      daemon.pauseFor(prng.next() * options.stallMs);
      stallAgain(daemon);
    });
  };
  if (options.stallMs > 0) {
    for (const daemon of [conductor, ...nodes.slice(0, options.stalled)]) stallAgain(daemon);
  }
  run(timeline, options.minutes * 60_000);
  const falseDeaths = deaths.splice(0);
  const deadMs: number[] = [];
  for (const node of nodes.slice(0, options.losses)) {
    run(timeline, prng.next() * 1_000);
    deaths.length = 0;
    const beganMs = timeline.nowMs;
    node.powerOff();
    const isDead = () => conductor.machine!.fleet.get(node.id)!.state === "dead";
    while (!isDead() && timeline.nowMs < beganMs + 60_000) run(timeline, 5);
    deadMs.push(timeline.nowMs - beganMs);
    falseDeaths.push(...deaths.filter((text) => !text.startsWith(`${node.name} `)));
  }
  const { suspected, refuted, witnessed } = conductor.machine!.suspicion.counters;
  const { sent, lost } = network.counters;
  return { falseDeaths, sent, lost, suspected, refuted, witnessed, stalls, deadMs };
}

function run(timeline: Timeline, forMs: number): void {
  const untilMs = timeline.nowMs + forMs;
  while (timeline.step(untilMs));
}
