// Properties of the scheduler as a whole: feasible, rank, choose, plan and rebalance on random
// clusters and apps. A failure prints the seed and the smallest case.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseManifest } from "../../core/manifest/parse.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { choose } from "./choose.ts";
import { whyNot } from "./feasible.ts";
import { type Candidate, Ledger } from "./ledger.ts";
import { type Booking, planApp } from "./plan.ts";
import { compareRanks, type Rank, rank } from "./rank.ts";
import { rebalance } from "./rebalance.ts";
import { type Buckets } from "../reconcile.ts";
import type { App } from "../state.ts";

const NAMES = ["api", "db", "web"] as const;
const ZONES = ["a", "b", "c"] as const;

const lines = fc.record({
  ram: fc.option(fc.constantFrom("64mb", "500mb", "2gb"), { nil: undefined }),
  cpu: fc.option(fc.constantFrom("0.1", "0.5", "2"), { nil: undefined }),
  gpu: fc.option(fc.constant("true"), { nil: undefined }),
  port: fc.option(fc.constantFrom("8001", "8001 fixed", "8002 fixed"), { nil: undefined }),
  require: fc.option(fc.constantFrom(...ZONES), { nil: undefined }),
  prefer: fc.option(fc.constantFrom(...ZONES), { nil: undefined }),
  spread: fc.option(fc.constant("label:zone"), { nil: undefined }),
  avoid: fc.option(fc.constantFrom(...NAMES), { nil: undefined }),
  near: fc.option(fc.constantFrom(...NAMES), { nil: undefined }),
  volume: fc.option(fc.constant("path data"), { nil: undefined }),
});

const spec = fc.tuple(fc.constantFrom(...NAMES), lines).map(([name, keys]): AppSpec => {
  const { require, prefer, spread, avoid, near, volume, ...plain } = keys;
  const own = Object.entries(plain).flatMap(([key, value]) =>
    value === undefined ? [] : [`  ${key} ${value}`]
  );
  const place = [
    ...(require ? [`    require zone=${require}`] : []),
    ...(prefer ? [`    prefer zone=${prefer}`] : []),
    ...(spread ? [`    spread ${spread}`] : []),
    ...(avoid && avoid !== name ? [`    avoid ${avoid}`] : []),
    ...(near && near !== name && near !== avoid ? [`    near ${near}`] : []),
  ];
  const block = place.length > 0 ? ["  place {", ...place, "  }"] : [];
  const files = volume ? [`  volume { ${volume} }`] : [];
  const text = [`app ${name} {`, "  exec /bin/x", ...own, ...block, ...files, "}"].join("\n");
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error(`${parsed.errors[0]!.message}\n${text}`);
  return parsed.apps[0]!;
});

const fact = fc.record({
  alive: fc.constantFrom(true, true, true, false),
  bar: fc.option(fc.constant("it is cordoned"), { freq: 6 }),
  ramTotalBytes: fc.constantFrom(0, 2 ** 28, 2 ** 30, 2 ** 33),
  cores: fc.constantFrom(0.5, 1, 4),
  gpu: fc.boolean(),
  labels: fc.constantFrom<Record<string, string>>({}, ...ZONES.map((zone) => ({ zone }))),
});

function ledgerOf(facts: readonly Partial<Candidate>[]): Ledger {
  const ledger = new Ledger();
  facts.forEach((each, at) => ledger.describe(`id-${at}`, { name: `node-${at}`, ...each }));
  return ledger;
}

const facts = fc.array(fact, { minLength: 0, maxLength: 8 });
const orders = fc.array(fc.tuple(spec, fc.integer({ min: 1, max: 6 })), { maxLength: 6 });

function snapshot(ledger: Ledger): string {
  return JSON.stringify(
    ledger.all().map((node) => ({
      ...node,
      apps: [...node.apps].sort(),
      avoided: [...node.avoided].sort(),
      fixedPorts: [...node.fixedPorts].sort(),
    })),
  );
}

Deno.test("choose() takes only nodes that can, and is refused only where none can", () => {
  fc.assert(fc.property(facts, orders, (nodes, wanted) => {
    const ledger = ledgerOf(nodes);
    for (const [app, count] of wanted) {
      // Each replica is checked as it is placed, on a ledger that has all before it.
      const check = ledger.fork();
      const { choices, refusals } = choose(app, count, ledger);
      let home: string | undefined;
      for (const { node } of choices) {
        assertEquals(whyNot(app, check.node(node), home), null);
        check.take(node, app);
        if (app.volumes.length > 0) home ??= node;
      }
      assertEquals(
        snapshot(check),
        snapshot(ledger),
        "what was chosen is booked, and nothing else",
      );
      if (choices.length === count) continue;
      for (const node of check.all()) assert(whyNot(app, node, home) !== null, node.name);
      assertEquals(refusals.length, Math.max(1, nodes.length), "a reason for each node");
    }
  }));
});

Deno.test("no node ever gives away more than it has, whatever is placed in whatever order", () => {
  fc.assert(fc.property(facts, orders, (nodes, wanted) => {
    const ledger = ledgerOf(nodes);
    const placed = new Map<string, AppSpec[]>();
    for (const [app, count] of wanted) {
      for (const { node } of choose(app, count, ledger).choices) {
        placed.set(node, [...placed.get(node) ?? [], app]);
      }
    }
    for (const node of ledger.all()) {
      const here = placed.get(node.id) ?? [];
      assert(node.ramUsedBytes <= node.ramTotalBytes, `${node.name} has given too much RAM`);
      assert(node.coresUsed <= node.cores + 0.002 * (1 + here.length), `${node.name}: cores`);
      const ports = here.flatMap((app) => app.port?.fixed ? [app.port.number] : []);
      assertEquals(new Set(ports).size, ports.length, "a fixed port is given once");
      for (const app of here) {
        if (app.gpu) assert(node.gpu);
        for (const { key, value } of app.place.require) assertEquals(node.labels[key], value);
        const others = new Set(here.map((other) => other.name));
        for (const other of app.place.avoid) assert(!others.has(other), `${app.name} ${other}`);
      }
    }
  }));
});

Deno.test("choose() takes the best ranked node each time, as a plain search does", () => {
  fc.assert(fc.property(facts, orders, (nodes, wanted) => {
    const ledger = ledgerOf(nodes);
    const model = ledger.fork();
    for (const [app, count] of wanted) {
      const { choices } = choose(app, count, ledger);
      let home: string | undefined;
      const expected: string[] = [];
      while (expected.length < count) {
        const groups = new Map<string, number>();
        const { spread } = app.place;
        if (spread !== "node") {
          for (const node of model.all()) {
            const group = node.labels[spread.label] ?? "";
            groups.set(group, (groups.get(group) ?? 0) + (node.apps.get(app.name) ?? 0));
          }
        }
        const able = model.all().filter((node) => whyNot(app, node, home) === null);
        const [best] = able.map((node) => ({ node, rank: rank(app, node, groups) }))
          .sort((a, b) => compareRanks(a.rank, b.rank));
        if (!best) break;
        model.take(best.node.id, app);
        expected.push(best.node.id);
        if (app.volumes.length > 0) home ??= best.node.id;
      }
      assertEquals(choices.map((choice) => choice.node), expected);
    }
  }));
});

Deno.test("compareRanks() is an order: reflexive, antisymmetric and transitive", () => {
  const small = fc.integer({ min: 0, max: 2 });
  const ranks = fc.record({
    missed: small,
    far: small,
    crowd: small,
    passing: small,
    load: small,
    replicas: small,
  });
  fc.assert(fc.property(ranks, ranks, ranks, (a: Rank, b: Rank, c: Rank) => {
    assertEquals(compareRanks(a, a), 0);
    assertEquals(Math.sign(compareRanks(a, b)), -Math.sign(compareRanks(b, a)) || 0);
    if (compareRanks(a, b) <= 0 && compareRanks(b, c) <= 0) assert(compareRanks(a, c) <= 0);
  }));
});

function appOf(app: AppSpec): App {
  const generation = { generation: 1, sequence: 1, manifest: "", spec: app, key: "", wallMs: 0 };
  return {
    name: app.name,
    down: false,
    generations: [generation],
    placements: new Map(),
    placed: 0,
  } as App;
}

const bucketsFor = (count: number): Buckets => ({
  place: Array.from({ length: count }, (_, index) => index),
  leave: [],
  yield: [],
  gone: [],
  wait: [],
});

Deno.test("planApp() is repeatable, books what it plans, and says why for each operation", () => {
  fc.assert(fc.property(facts, spec, fc.integer({ min: 1, max: 9 }), (nodes, app, count) => {
    const ledger = ledgerOf(nodes);
    const before = snapshot(ledger);
    const bookings: Booking[] = [];
    const plan = planApp(appOf(app), bucketsFor(count), ledger, bookings, true);
    const { place, reasons } = plan.decision;
    assertEquals(reasons.length, place.length);
    assertEquals(new Set(place.map((each) => each.replica)).size, place.length);
    assertEquals(place.map((each) => each.index), bucketsFor(count).place.slice(0, place.length));
    assertEquals(plan.unplaced.length > 0, place.length < count);
    for (const text of plan.unplaced) assert(text.startsWith(`cannot place ${app.name}`), text);
    for (const { node, spec } of bookings) ledger.give(node, spec);
    assertEquals(snapshot(ledger), before, "given back, the ledger is as it was");
    const again = planApp(appOf(app), bucketsFor(count), ledger, [], true);
    assertEquals(again.decision, plan.decision);
  }));
});

Deno.test("rebalance() moves only to where it can, and comes to an end", () => {
  fc.assert(fc.property(facts, facts, orders, (nodes, more, wanted) => {
    const ledger = ledgerOf(nodes);
    const apps = new Map<string, App>();
    for (const [app, count] of wanted) {
      if (apps.has(app.name)) continue;
      const one = appOf(app);
      apps.set(app.name, one);
      choose(app, count, ledger).choices.forEach(({ node }, index) => {
        const replica = `${app.name}.${index + 1}`;
        const place = { replica, app: app.name, generation: 1, sequence: 1, index, node };
        one.placements.set(replica, { ...place, leaving: false });
      });
    }
    more.forEach((each, at) => ledger.describe(`new-${at}`, { name: `new-${at}`, ...each }));
    for (let round = 0;; round++) {
      assert(round < 10, "it moves and moves");
      const before = snapshot(ledger);
      const moves = rebalance(apps.values(), ledger);
      assertEquals(snapshot(ledger), before, "it changes nothing by itself");
      if (moves.length === 0) return;
      for (const { app, replica, from, to } of moves) {
        const one = apps.get(app)!;
        const placement = one.placements.get(replica)!;
        assertEquals(placement.node, from);
        const { spec } = one.generations[0]!;
        ledger.give(from, spec);
        assertEquals(whyNot(spec, ledger.node(to)), null);
        ledger.take(to, spec);
        one.placements.set(replica, { ...placement, node: to });
      }
    }
  }));
});
