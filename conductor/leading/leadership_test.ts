import { assert, assertEquals } from "@std/assert";
import { LEAD_LOOK_MS, LEAD_MARGIN_MS, LEAD_MS, LEAD_RENEW_MS } from "../../core/limits.ts";
import type { Lease } from "../../core/log.ts";
import { createPrng } from "../../core/prng.ts";
import {
  Leadership,
  type LeadershipEffect,
  type LeadershipEvent,
  parseHolder,
} from "./leadership.ts";

/** Several conductors around one lease, each with a clock of its own that may run at its own pace. */
class World {
  nowMs = 0;
  lease: Lease | null = null;
  readonly conductors: Conductor[];
  readonly queue: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor(count: number, readonly delayMs: () => number) {
    this.conductors = Array.from({ length: count }, (_, at) => new Conductor(this, at));
  }

  later(ms: number, run: () => void): void {
    this.queue.push({ atMs: this.nowMs + ms, run });
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      for (const each of this.conductors) each.arm();
      this.queue.sort((a, b) => a.atMs - b.atMs);
      const next = this.queue[0];
      if (!next || next.atMs > untilMs) break;
      this.queue.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      this.check();
    }
    this.nowMs = untilMs;
    this.check();
  }

  /** The one thing that must hold: never two that believe that they lead. */
  check(): void {
    const leaders = this.conductors.filter((each) => each.believes());
    assert(leaders.length <= 1, `${leaders.map((each) => each.at)} lead at ${this.nowMs}`);
  }

  leaders(): number[] {
    return this.conductors.filter((each) => each.believes()).map((each) => each.at);
  }
}

class Conductor {
  machine: Leadership;
  untilMs = -Infinity;
  term = 0;
  up = true;
  /** The store is out of its reach. */
  cut = false;
  pace = 1;
  stopped = false;
  /** Who leads, as it was told last. */
  told: string | null = null;
  readonly terms: number[] = [];
  #armed = Infinity;
  #boots = 0;

  constructor(readonly world: World, readonly at: number) {
    this.machine = this.#make();
  }

  #make(): Leadership {
    const boot = `${this.at}${this.#boots++}`.padStart(4, "0");
    return new Leadership({ boot, at: `10.0.0.${this.at}:7771`, name: `conductor-${this.at}` });
  }

  mono(): number {
    return this.world.nowMs * this.pace + this.at * 1_000;
  }

  /** As the conductor's machine asks before anything that it sends. */
  believes(): boolean {
    return this.up && this.mono() < this.untilMs;
  }

  step(event: LeadershipEvent): void {
    if (!this.up) return;
    for (const effect of this.machine.step(event, this.mono())) this.#perform(effect);
  }

  arm(): void {
    const dueMs = (this.machine.wakeMonoMs() - this.at * 1_000) / this.pace;
    if (!this.up || dueMs >= this.#armed || dueMs === Infinity) return;
    this.#armed = dueMs;
    const { machine } = this;
    this.world.later(Math.max(0.1, dueMs - this.world.nowMs), () => {
      this.#armed = Infinity;
      if (machine === this.machine) this.step({ on: "tick" });
    });
  }

  kill(): void {
    this.up = false;
    this.untilMs = -Infinity;
  }

  start(): void {
    this.machine = this.#make();
    this.up = true;
    this.#armed = Infinity;
  }

  #perform(effect: LeadershipEffect): void {
    const { world, machine } = this;
    const answer = (work: () => LeadershipEvent) => {
      world.later(world.delayMs(), () => {
        const event: LeadershipEvent = this.cut ? { on: "unanswered" } : work();
        const back = this.cut;
        world.later(world.delayMs(), () => {
          if (machine !== this.machine) return;
          this.step(this.cut && !back ? { on: "unanswered" } : event);
        });
      });
    };
    switch (effect.do) {
      case "look":
        return answer(() => ({ on: "seen", lease: world.lease }));
      case "swap":
        return answer(() => {
          if ((world.lease?.revision ?? 0) !== effect.revision) {
            return { on: "swapped", revision: null };
          }
          world.lease = { revision: effect.revision + 1, holder: effect.holder };
          return { on: "swapped", revision: world.lease.revision };
        });
      case "lead":
        this.term = effect.term;
        this.terms.push(effect.term);
        this.untilMs = effect.untilMonoMs;
        return;
      case "extend":
        this.untilMs = effect.untilMonoMs;
        return;
      case "stand-by":
        this.untilMs = -Infinity;
        return;
      case "stopped":
        this.stopped = true;
        return this.kill();
      case "leader":
        this.told = effect.holder?.name ?? null;
        return;
      default:
        effect satisfies never;
    }
  }
}

Deno.test("Leadership: one of three leads, and goes on while it renews", () => {
  const world = new World(3, () => 2);
  world.advance(1_000);
  assertEquals(world.leaders().length, 1);
  const [first] = world.leaders();
  world.advance(60_000);
  assertEquals(world.leaders(), [first]);
  assertEquals(world.conductors.flatMap((each) => each.terms).length, 1);
});

Deno.test("Leadership: after SIGKILL another leads within the lease and three looks", () => {
  const world = new World(3, () => 2);
  world.advance(5_000);
  const [first = 0] = world.leaders();
  world.conductors[first]!.kill();
  world.advance(LEAD_MS + 3 * LEAD_LOOK_MS);
  const [second = 0] = world.leaders();
  assertEquals(world.leaders().length, 1);
  assert(second !== first);
  assert(world.conductors[second]!.term > world.conductors[first]!.term);
});

Deno.test("Leadership: who stops gives the lease back, and another leads at its next look", () => {
  const world = new World(3, () => 2);
  world.advance(5_000);
  const [first = 0] = world.leaders();
  world.conductors[first]!.step({ on: "stop" });
  world.advance(LEAD_LOOK_MS + 50);
  assert(world.conductors[first]!.stopped);
  assertEquals(world.leaders().length, 1);
});

Deno.test("Leadership: who is cut off stops before another begins, and comes back as a standby", () => {
  const world = new World(3, () => 2);
  world.advance(5_000);
  const [first = 0] = world.leaders();
  world.conductors[first]!.cut = true;
  world.advance(LEAD_MS - LEAD_MARGIN_MS);
  assert(!world.conductors[first]!.believes());
  world.advance(LEAD_MARGIN_MS + 3 * LEAD_LOOK_MS + LEAD_RENEW_MS);
  assertEquals(world.leaders().length, 1);
  const [second = 0] = world.leaders();
  world.conductors[first]!.cut = false;
  world.advance(10_000);
  assertEquals(world.leaders(), [second]);
});

Deno.test("Leadership: a writing whose answer was lost is found to be its own", () => {
  const machine = new Leadership({ boot: "a", at: "10.0.0.1:7771" });
  assertEquals(machine.step({ on: "tick" }, 0), [{ do: "look" }]);
  const [swap] = machine.step({ on: "seen", lease: null }, 5);
  assert(swap?.do === "swap");
  machine.step({ on: "unanswered" }, 300);
  assertEquals(machine.step({ on: "tick" }, 400), [{ do: "look" }]);
  const lease = { revision: 7, holder: swap.holder };
  const out = machine.step({ on: "seen", lease }, 410);
  assertEquals(out[0], { do: "lead", term: 7, untilMonoMs: 5 + LEAD_MS - LEAD_MARGIN_MS });
  assertEquals(parseHolder(swap.holder)?.at, "10.0.0.1:7771");
});

Deno.test("Leadership: without the store nobody is said to lead, least of all who did", () => {
  const world = new World(3, () => 2);
  world.advance(5_000);
  const told = () => world.conductors.map((each) => each.told);
  const [first = 0] = world.leaders();
  assertEquals(told(), [0, 1, 2].map(() => `conductor-${first}`));
  for (const each of world.conductors) each.cut = true;
  world.advance(LEAD_MS + LEAD_RENEW_MS);
  assertEquals(told(), [null, null, null]);
  world.conductors[first]!.cut = false;
  world.advance(LEAD_MS + LEAD_LOOK_MS);
  assertEquals([world.leaders(), told()[first]], [[first], `conductor-${first}`]);
});

Deno.test("Leadership: one that is unfit lets others go first", () => {
  const world = new World(2, () => 2);
  world.advance(3_000);
  const [first = 0] = world.leaders();
  world.conductors[first]!.step({ on: "unfit", why: "the log is written by another" });
  assertEquals(world.leaders(), []);
  world.advance(2 * LEAD_LOOK_MS);
  assertEquals(world.conductors[first]!.told, null, "the lease that it finds is its own, and over");
  world.advance(LEAD_MS + LEAD_LOOK_MS);
  assertEquals(world.leaders(), [1 - first]);
});

const SEEDS = 300;
Deno.test(`Leadership: in ${SEEDS} worlds of kills, cuts, stalls and uneven clocks never two lead`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const prng = createPrng(seed);
    const chance = (below: number) => Number.parseInt(prng.hex(8), 16) / 2 ** 32 * below;
    let slow = 0.05;
    const world = new World(3, () => chance(1) < slow ? chance(3_000) : chance(20));
    // Clocks that differ by 2 % are far worse than any quartz.
    for (const each of world.conductors) each.pace = 0.99 + chance(0.02);
    try {
      for (let step = 0; step < 60; step++) {
        const one = world.conductors[Math.floor(chance(3))]!;
        const what = chance(4);
        if (what < 1) one.up ? one.kill() : one.start();
        else if (what < 2) one.cut = !one.cut;
        else if (what < 2.5 && one.up) one.step({ on: "unfit", why: "chance" });
        else if (what < 3 && one.up) one.step({ on: "stop" });
        world.advance(chance(1_500));
      }
      for (const each of world.conductors) {
        each.cut = false;
        if (!each.up) each.start();
      }
      slow = 0;
      world.advance(20_000);
      assertEquals(world.leaders().length, 1);
      const terms = world.conductors.flatMap((each) => each.terms);
      assertEquals(new Set(terms).size, terms.length, "no term is given twice");
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
