// Stories of a cluster as text, with what an operator would see: tests/scenarios/*.txt.
//
//     # A node loses power; its replicas move.          a comment
//     > up web 3                                        what happens
//     > power-off node-2
//     > advance 3s
//       2.6  node-2 is dead: silent for 2550 ms         what the cluster tells while time passes
//     > status                                          asks; the answer follows
//       web  generation 1, 3 of 3 ready: web.1@node-1 ...
//
// Lines that begin with `>` are played; everything else but comments is golden: written anew by
// `deno task scenarios --update`, and reviewed as a diff.

import { currentOf } from "../../conductor/state.ts";
import type { Cast } from "./cast.ts";
import { daemonsOf, doStep, healAll } from "./deeds.ts";
import type { NodeVerb, Verb } from "./operator.ts";
import type { Behaviour } from "./process.ts";
import type { Deed } from "./steps.ts";
import { createCast, MILD, run } from "./world.ts";

/** How long the cluster is given before the story begins, in ms. */
const START_MS = 1_000;

/** Plays a scenario; its text with what came of it. @throws {Error} where a line is not understood. */
export function play(text: string): string {
  const out: string[] = [];
  const cast = createCast({ ...MILD, seed: 1, faults: false });
  const teller = new Teller(cast);
  for (const daemon of daemonsOf(cast)) daemon.start();
  cast.clients.start();
  cast.network.weather.delayMs = 0;
  run(cast, START_MS);
  teller.news();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.startsWith("#") || line === "") out.push(line);
    if (!line.startsWith(">")) continue;
    out.push(line);
    const words = line.slice(1).trim().split(/\s+/);
    try {
      out.push(...obey(cast, teller, words).map((each) => `  ${each}`));
    } catch (error) {
      throw new Error(`line ${index + 1}: ${line}: ${(error as Error).message}`, { cause: error });
    }
  }
  return out.join("\n").trimEnd() + "\n";
}

function obey(cast: Cast, teller: Teller, words: readonly string[]): string[] {
  const [verb = "", ...rest] = words;
  switch (verb) {
    case "advance":
      run(cast, cast.timeline.nowMs + msOf(rest[0]));
      return teller.news();
    case "status":
      return status(cast);
    case "requests":
      return teller.requests();
    case "loss":
      cast.network.weather.loss = Number(rest[0]?.replace("%", "")) / 100;
      return [];
    case "heal":
      healAll(cast);
      return [];
    default:
      doStep(cast, deedOf(verb, rest));
      // What is done at once is told at once.
      run(cast, cast.timeline.nowMs + 1);
      return [];
  }
}

const VERBS: readonly string[] = [
  ...["stop", "start", "restart", "pause-rollout", "resume", "down", "run"],
];

function deedOf(verb: string, rest: readonly string[]): Deed {
  const [first = "", second = "", third = ""] = rest;
  if (VERBS.includes(verb)) {
    const name = verb === "pause-rollout" ? "PAUSE" : verb.toUpperCase();
    return { do: "verb", verb: name as Verb, app: first };
  }
  switch (verb) {
    case "up": {
      const behaviour = ["crash", "unready", "errors"].find((each) => rest.includes(each)) ??
        "good";
      const cargo = rest.includes("cargo")
        ? { cargo: Number(rest[rest.indexOf("cargo") + 1]) }
        : {};
      return {
        do: "up",
        app: first,
        replicas: Number(second),
        volume: rest.includes("volume"),
        behaviour: behaviour as Behaviour,
        ...cargo,
      };
    }
    case "scale":
      return { do: "scale", app: first, count: Number(second) };
    case "load":
      return { do: "load", app: first, cores: Number(second) };
    case "grant":
    case "ungrant":
      return { do: "grant", may: verb === "grant" };
    case "ann":
      return { do: "ann", verb: first.toUpperCase() as Verb, app: second };
    case "drain":
    case "cordon":
    case "uncordon":
      return { do: "node", verb: verb.toUpperCase() as NodeVerb, node: first };
    case "ask":
      return { do: "ask", app: first, forMs: msOf(second) };
    case "kill":
    case "pause":
    case "power-off":
    case "disk-full":
      return { do: verb, daemon: first, forMs: second === "" ? Infinity : msOf(second) };
    case "spoil":
      return { do: "spoil", node: first, nth: Number(second) };
    case "crash":
      return { do: "crash", nth: Number(first) };
    case "cut": {
      // cut node-1 -> tower 5s: one way; cut node-1 <-> all: both, until `heal`.
      const forMs = rest[3] === undefined ? Infinity : msOf(rest[3]);
      return { do: "cut", one: first, other: third, oneWay: second === "->", forMs };
    }
    case "clock":
      return { do: "clock", host: first, skewMs: msOf(second), forMs: Infinity };
    case "replay":
      return { do: "replay", nth: Number(first) - 1 };
    default:
      throw new Error(`there is no ${verb}`);
  }
}

function msOf(text = ""): number {
  const parts = /^(-?[0-9.]+)(ms|s|m)$/.exec(text);
  if (!parts) throw new Error(`${text} is no duration such as 500ms, 12s or 2m`);
  return Number(parts[1]) * { ms: 1, s: 1_000, m: 60_000 }[parts[2] as "ms" | "s" | "m"];
}

/** What `skr8tr status` is about: nodes, apps, what serves. */
function status(cast: Cast): string[] {
  const { conductor, ingresses, nodes } = cast;
  if (!conductor.machine) return ["the conductor does not answer"];
  const { state, fleet } = conductor.machine;
  const lines = nodes.map((node) => {
    const known = fleet.get(node.id)?.state ?? "unknown";
    const runs = node.running().map((each) => each.replica).sort();
    return `${node.name}  ${known}, runs ${runs.join(" ") || "nothing"}`;
  });
  for (const app of state.apps.values()) {
    const { generation } = currentOf(app);
    const how = app.down ? "down" : app.stopped ? "stopped" : `generation ${generation}`;
    if (app.job) {
      const runs = app.job.runs.map((each) => `run ${each.run} ${each.state}`);
      lines.push(`${app.name}  ${how}, ${runs.join(", ")}`);
      continue;
    }
    const serving = ingresses[0]!.targets().filter((each) => each.app === app.name)
      .map((each) => each.replica).sort();
    const rollout = app.rollout && app.rollout.phase !== "done"
      ? `, rollout ${app.rollout.phase}`
      : "";
    lines.push(`${app.name}  ${how}${rollout}, requests go to ${serving.join(" ") || "nobody"}`);
    for (const why of conductor.machine.unplaced.get(app.name) ?? []) lines.push(`  ${why}`);
    for (const why of conductor.machine.waiting.get(app.name) ?? []) lines.push(`  waits: ${why}`);
  }
  return lines;
}

/** Tells what has happened since it was last asked. */
class Teller {
  #told = 0;
  #asked = 0;
  #lost = 0;
  #early = 0;
  #errors = 0;

  constructor(private readonly cast: Cast) {}

  news(): string[] {
    const { story } = this.cast.checker;
    const fresh = story.slice(this.#told);
    this.#told = story.length;
    return fresh.map((line) => {
      const [, seconds, text] = /^ *([0-9.]+) (.*)$/.exec(line)!;
      return `${Number(seconds).toFixed(1).padStart(5)}  ${text}`;
    });
  }

  requests(): string[] {
    const { asked, lost, errors } = this.cast.clients.counters;
    const wrong = errors - this.#errors;
    const { early } = this.cast.checker;
    const tooEarly = early - this.#early;
    const line = `${asked - this.#asked} requests, ` +
      (tooEarly > 0 ? `${tooEarly} before it was ready, ` : "") +
      (wrong > 0 ? `${wrong} answered with an error, ` : "") +
      `${lost - this.#lost - tooEarly} lost`;
    this.#errors = errors;
    this.#asked = asked;
    this.#lost = lost;
    this.#early = early;
    return [line];
  }
}
