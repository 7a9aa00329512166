// What happens in a virtual world, step by step, as plain data: so that a failing world can be
// repeated, and made smaller.

import type { Prng } from "../../core/prng.ts";
import { CARGOS } from "./cargo.ts";
import type { NodeVerb, Verb } from "./operator.ts";
import type { Behaviour } from "./process.ts";

/** One step. `forMs`: after that time what broke is mended. */
export type Deed =
  | {
    readonly do: "up";
    readonly app: string;
    readonly replicas: number;
    readonly volume: boolean;
    readonly behaviour: Behaviour;
    /** Which content it brings along. */
    readonly cargo?: number;
  }
  | { readonly do: "verb"; readonly verb: Verb; readonly app: string }
  /** Ann is granted to work on `web`, or that is taken back. */
  | { readonly do: "grant"; readonly may: boolean }
  /** She tries to. */
  | { readonly do: "ann"; readonly verb: Verb; readonly app: string }
  | { readonly do: "node"; readonly verb: NodeVerb; readonly node: string }
  /** Clients ask for an app that sleeps otherwise. */
  | { readonly do: "ask"; readonly app: string; readonly forMs: number }
  /** An app that scales by CPU has so much to do from here on. */
  | { readonly do: "load"; readonly app: string; readonly cores: number }
  | { readonly do: "scale"; readonly app: string; readonly count: number }
  /** A daemon is killed by SIGKILL and started again. */
  | { readonly do: "kill"; readonly daemon: string; readonly forMs: number }
  /** A daemon is stopped by SIGSTOP. */
  | { readonly do: "pause"; readonly daemon: string; readonly forMs: number }
  /** A conductor ends by SIGTERM, so that it gives its lease back, and is started again. */
  | { readonly do: "stop"; readonly daemon: string; readonly forMs: number }
  /** A conductor is stopped by SIGSTOP when it has made up its next order, which it says on waking. */
  | { readonly do: "freeze-at-order"; readonly daemon: string; readonly forMs: number }
  /** The shared store is slow, fails, and does not say whether what was asked is done. */
  | { readonly do: "store-trouble"; readonly delayMs: number; readonly forMs: number }
  /** A node's machine loses power. */
  | { readonly do: "power-off"; readonly daemon: string; readonly forMs: number }
  /** The program of one replica dies: the `nth` of those that run, counted around. */
  | { readonly do: "crash"; readonly nth: number }
  /** Nothing comes from the one host to the other any more, nor back unless `oneWay`. */
  | {
    readonly do: "cut";
    readonly one: string;
    readonly other: string;
    readonly oneWay: boolean;
    readonly forMs: number;
  }
  /** What lies in a node's cache of artifacts is changed: the `nth`, counted around. */
  | { readonly do: "spoil"; readonly node: string; readonly nth: number }
  /** One of several conductors is killed, and started again without its artifacts. */
  | { readonly do: "lose-cargo"; readonly daemon: string; readonly forMs: number }
  | { readonly do: "disk-full"; readonly daemon: string; readonly forMs: number }
  | {
    readonly do: "disk-slow";
    readonly daemon: string;
    readonly diskMs: number;
    readonly forMs: number;
  }
  /** A host's clock is set wrong. */
  | {
    readonly do: "clock";
    readonly host: string;
    readonly skewMs: number;
    readonly forMs: number;
  }
  /** Somebody sends a signed command again that was overheard. */
  | { readonly do: "replay"; readonly nth: number };

export type Step = Deed & { readonly atMs: number };

/** For people, and nearly the language of tests/scenarios. */
export function formatStep(step: Step): string {
  const at = (step.atMs / 1000).toFixed(3).padStart(8);
  const time = "forMs" in step ? ` for ${(step.forMs / 1000).toFixed(2)}s` : "";
  return `${at} ${wordsOf(step)}${time}`;
}

function wordsOf(step: Step): string {
  switch (step.do) {
    case "up": {
      const volume = step.volume ? " volume" : "";
      const behaviour = step.behaviour === "good" ? "" : ` ${step.behaviour}`;
      const cargo = step.cargo === undefined ? "" : ` cargo ${step.cargo}`;
      return `up ${step.app} ${step.replicas}${volume}${behaviour}${cargo}`;
    }
    case "verb":
      return `${step.verb.toLowerCase()} ${step.app}`;
    case "grant":
      return step.may ? "grant ann web" : "ungrant ann web";
    case "ann":
      return `ann: ${step.verb.toLowerCase()} ${step.app}`;
    case "node":
      return `${step.verb.toLowerCase()} ${step.node}`;
    case "ask":
      return `ask ${step.app}`;
    case "load":
      return `load ${step.app} ${step.cores} cores`;
    case "scale":
      return `scale ${step.app}=${step.count}`;
    case "crash":
      return `crash the ${step.nth}th program`;
    case "cut":
      return `cut ${step.one} ${step.oneWay ? "->" : "<->"} ${step.other}`;
    case "disk-slow":
      return `disk-slow ${step.daemon} ${step.diskMs} ms`;
    case "store-trouble":
      return `store-trouble ${step.delayMs} ms`;
    case "spoil":
      return `spoil ${step.node} ${step.nth}`;
    case "clock":
      return `clock ${step.host} ${step.skewMs / 1000}s`;
    case "replay":
      return `replay command ${step.nth}`;
    case "kill":
    case "pause":
    case "stop":
    case "freeze-at-order":
    case "power-off":
    case "lose-cargo":
    case "disk-full":
      return `${step.do} ${step.daemon}`;
    default:
      return step satisfies never;
  }
}

export interface PlanOptions {
  readonly steps: number;
  readonly nodes: number;
  readonly ingresses: number;
  readonly conductors?: number;
  readonly towers?: number;
  /** Whether anything breaks, or operators only work. */
  readonly faults: boolean;
}

/** Before the first step: the time in which the first apps come up. */
const CALM_MS = 2_500;

/** Makes up what happens. Each of `steps` is a deed of an operator, a fault, or both at once. */
export function planSteps(prng: Prng, options: PlanOptions): Step[] {
  const steps: Step[] = [
    { atMs: 0, do: "up", app: "web", replicas: 1 + prng.below(4), ...good(false) },
    { atMs: 0, do: "up", app: "shop", replicas: 1 + prng.below(3), ...good(true) },
  ];
  let atMs = CALM_MS;
  for (let count = 0; count < options.steps; count++) {
    const work = operate(prng, options);
    if (work) steps.push({ atMs, ...work });
    const fault = options.faults ? breakOne(prng, options) : null;
    if (fault) steps.push({ atMs, ...fault });
    atMs += 200 + prng.below(1_500);
  }
  return steps;
}

function good(volume: boolean): { readonly volume: boolean; readonly behaviour: Behaviour } {
  return { volume, behaviour: "good" };
}

function operate(prng: Prng, options: PlanOptions): Deed | null {
  const verb = (name: Verb): Deed => ({ do: "verb", verb: name, app: "web" });
  switch (prng.below(50)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return { do: "up", app: "web", replicas: 1 + prng.below(5), ...good(false) };
    case 5:
    case 6:
      return { do: "up", app: "shop", replicas: 1 + prng.below(3), ...good(true) };
    case 7:
    case 8:
      return { do: "up", app: "late", replicas: 1, ...good(false) };
    case 9:
      return { do: "verb", verb: "DOWN", app: "late" };
    case 10:
      return { do: "up", app: "web", replicas: 2, volume: false, behaviour: "crash" };
    case 11:
      return { do: "up", app: "web", replicas: 2, volume: false, behaviour: "unready" };
    case 12:
    case 13:
      return { do: "scale", app: "web", count: 1 + prng.below(5) };
    case 14:
      return verb("RESTART");
    case 15:
      return verb("PAUSE");
    case 16:
      return verb("RESUME");
    case 17:
      return { do: "verb", verb: "STOP", app: prng.below(2) === 0 ? "late" : "shop" };
    case 18:
    case 19:
      return { do: "verb", verb: "START", app: prng.below(2) === 0 ? "late" : "shop" };
    case 20:
    case 21:
      return { do: "up", app: "nap", replicas: 1, ...good(false) };
    case 22:
    case 23:
      return { do: "ask", app: "nap", forMs: 500 + prng.below(6_000) };
    case 24:
    case 25: {
      const node = `node-${1 + prng.below(options.nodes)}`;
      return { do: "node", verb: (["CORDON", "DRAIN", "DRAIN"] as const)[prng.below(3)]!, node };
    }
    case 26:
      return { do: "node", verb: "UNCORDON", node: `node-${1 + prng.below(options.nodes)}` };
    case 27:
      return { do: "up", app: "tick", replicas: 1, ...good(false) };
    case 28:
      return {
        do: "verb",
        verb: (["STOP", "START", "DOWN", "RUN"] as const)[prng.below(4)]!,
        app: "tick",
      };
    case 29: {
      const behaviour = prng.below(3) === 0 ? "crash" : "good";
      return { do: "up", app: "once", replicas: 1 + prng.below(2), volume: false, behaviour };
    }
    case 30:
    case 31:
      return { do: "verb", verb: "RUN", app: "once" };
    case 35:
    case 36:
      return { do: "grant", may: prng.below(3) > 0 };
    case 37:
    case 38:
    case 39: {
      const name = (["RESTART", "RESTART", "STOP", "START"] as const)[prng.below(4)]!;
      return { do: "ann", verb: name, app: prng.below(3) === 0 ? "shop" : "web" };
    }
    case 32:
    case 33:
    case 34: {
      const behaviour = prng.below(3) === 0 ? "errors" : "good";
      return { do: "up", app: "shy", replicas: 2, volume: false, behaviour };
    }
    case 40:
    case 41:
      return { do: "up", app: "busy", replicas: 1, ...good(false) };
    case 42:
    case 43:
    case 44:
      return { do: "load", app: "busy", cores: prng.below(13) / 4 };
    case 45:
    case 46:
    case 47:
      return upCargo(prng);
    default:
      return null;
  }
}

/** Mostly good, and mostly with other bytes than before. */
function upCargo(prng: Prng): Deed {
  const app = prng.below(2) === 0 ? "crate" : "barge";
  const behaviour = prng.below(8) === 0 ? "crash" : "good";
  const [replicas, cargo] = [1 + prng.below(3), 1 + prng.below(CARGOS)];
  return { do: "up", app, replicas, volume: false, behaviour, cargo };
}

/**
 * Where there are several conductors, half of what breaks is theirs, or their store's; where there are
 * several towers, a third is theirs.
 */
function breakOne(prng: Prng, options: PlanOptions): Deed | null {
  const { conductors = 1, nodes } = options;
  if ((options.towers ?? 1) > 1 && prng.below(3) === 0) return breakTower(prng, options);
  if (conductors === 1 || prng.below(2) === 0) return breakSomething(prng, options);
  const index = 1 + prng.below(conductors);
  const daemon = index === 1 ? "conductor" : `conductor-${index}`;
  const forMs = 50 + prng.below(6_000);
  const oneWay = prng.below(2) === 0;
  const cut = (one: string, other: string): Deed =>
    prng.below(2) === 0
      ? { do: "cut", one, other, oneWay, forMs }
      : { do: "cut", one: other, other: one, oneWay, forMs };
  switch (prng.below(11)) {
    case 0:
    case 1:
      return { do: "kill", daemon, forMs };
    case 9:
      return { do: "lose-cargo", daemon, forMs };
    case 2:
      return { do: "pause", daemon, forMs };
    case 3:
      return { do: "freeze-at-order", daemon, forMs };
    case 4:
      return cut(daemon, "store");
    case 5:
      return cut(daemon, ["tower", `node-${1 + prng.below(nodes)}`][prng.below(2)]!);
    case 6:
      return { do: "cut", one: daemon, other: "all", oneWay, forMs };
    case 7:
      return { do: "stop", daemon, forMs };
    case 8:
      return { do: "store-trouble", delayMs: 2 + prng.below(600), forMs };
    default:
      return {
        do: "clock",
        host: daemon,
        skewMs: [-288_000, -60_000, 60_000, 288_000][prng.below(4)]!,
        forMs,
      };
  }
}

function towerOf(prng: Prng, { towers = 1 }: PlanOptions): string {
  const index = towers === 1 ? 1 : 1 + prng.below(towers);
  return index === 1 ? "tower" : `tower-${index}`;
}

function breakTower(prng: Prng, options: PlanOptions): Deed {
  const tower = towerOf(prng, options);
  const forMs = 50 + prng.below(6_000);
  const oneWay = prng.below(2) === 0;
  const others = [
    "conductor",
    `node-${1 + prng.below(options.nodes)}`,
    `ingress-${1 + prng.below(options.ingresses)}`,
    `ingress-${1 + prng.below(options.ingresses)}`,
    "all",
  ];
  switch (prng.below(6)) {
    case 0:
    case 1:
      return { do: "kill", daemon: tower, forMs };
    case 2:
    case 3:
      return { do: "pause", daemon: tower, forMs };
    default:
      return { do: "cut", one: tower, other: others[prng.below(5)]!, oneWay, forMs };
  }
}

function breakSomething(prng: Prng, options: PlanOptions): Deed | null {
  const node = `node-${1 + prng.below(options.nodes)}`;
  const ingress = `ingress-${1 + prng.below(options.ingresses)}`;
  const tower = towerOf(prng, options);
  const forMs = 50 + prng.below(6_000);
  const kill = (daemon: string): Deed => ({ do: "kill", daemon, forMs });
  switch (prng.below(17)) {
    case 0:
      return kill("conductor");
    case 1:
      return kill(tower);
    case 2:
      return kill(ingress);
    case 3:
    case 4:
      return kill(node);
    case 5:
      return { do: "power-off", daemon: node, forMs };
    case 6:
      return { do: "crash", nth: prng.below(20) };
    case 7: {
      const other = ["conductor", tower, ingress, "all"][prng.below(4)]!;
      return { do: "cut", one: node, other, oneWay: prng.below(2) === 0, forMs };
    }
    case 8: {
      const pairs = [["conductor", tower], [ingress, tower], [tower, node], [
        "conductor",
        node,
      ]];
      const [one, other] = pairs[prng.below(pairs.length)]!;
      return { do: "cut", one: one!, other: other!, oneWay: prng.below(2) === 0, forMs };
    }
    case 9:
      return { do: "disk-full", daemon: prng.below(2) === 0 ? "conductor" : node, forMs };
    case 10: {
      const diskMs = 20 + prng.below(800);
      const daemon = prng.below(2) === 0 ? "conductor" : node;
      return { do: "disk-slow", daemon, diskMs, forMs };
    }
    case 11: {
      const host = ["conductor", tower, node, ingress, "operator"][prng.below(5)]!;
      const skewMs = [-288_000, -60_000, 60_000, 288_000][prng.below(4)]!;
      return { do: "clock", host, skewMs, forMs };
    }
    case 12: {
      const daemon = ["conductor", tower, node, node, ingress][prng.below(5)]!;
      return { do: "pause", daemon, forMs };
    }
    case 13:
      return { do: "replay", nth: prng.below(40) };
    case 14:
      return { do: "spoil", node, nth: prng.below(12) };
    default:
      return null;
  }
}
