import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseManifest } from "../../core/manifest/parse.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { choose } from "./choose.ts";
import { whyNot } from "./feasible.ts";
import { type Candidate, Ledger } from "./ledger.ts";
import { compareRanks, explainRank, rank } from "./rank.ts";
import { manifestOf } from "../rig_test.ts";

const MIB = 2 ** 20;

function spec(lines: string[] = [], app = "web"): AppSpec {
  const parsed = parseManifest(manifestOf(app, lines));
  assert(parsed.ok, JSON.stringify(parsed));
  return parsed.apps[0]!;
}

function ledger(nodes: readonly Partial<Candidate>[]): Ledger {
  const made = new Ledger();
  nodes.forEach((facts, at) =>
    made.describe(`id-${at + 1}`, {
      name: `node-${at + 1}`,
      alive: true,
      ramTotalBytes: 1_024 * MIB,
      cores: 4,
      ...facts,
    })
  );
  return made;
}

Deno.test("whyNot() says what is missing", () => {
  const zone = { labels: { zone: "a" } };
  const cases: [lines: string[], node: Partial<Candidate>, says: string | null][] = [
    [[], {}, null],
    [[], { alive: false }, "it is not answering"],
    [[], { bar: "speaks only v1" }, "speaks only v1"],
    [["gpu true"], {}, "needs a GPU, it has none"],
    [["gpu true"], { gpu: true }, null],
    [["ram 2gb"], {}, "needs 2048 MiB, 1024 MiB free"],
    [["ram 1gb"], {}, null],
    [["cpu 5"], {}, "needs 5 cores, 4.00 free"],
    [["place {", "  require zone=a", "}"], {}, "needs label zone=a, it has none"],
    [["place {", "  require zone=b", "}"], zone, "needs label zone=b, it has a"],
    [["place {", "  require zone=a", "}"], zone, null],
    [["place {", "  avoid db", "}"], { apps: new Map([["db", 1]]) }, "avoids db, which runs there"],
    [["port 80 fixed"], { fixedPorts: new Map([[80, 1]]) }, "needs port 80, which is taken there"],
    [["port 80"], { fixedPorts: new Map([[80, 1]]) }, null],
  ];
  for (const [lines, node, says] of cases) {
    assertEquals(whyNot(spec(lines), ledger([node]).node("id-1")), says, lines.join());
  }
  const other = "the app's volume is on another node";
  assertEquals(whyNot(spec(), ledger([{}]).node("id-1"), "id-2"), other);
  assertEquals(whyNot(spec(), ledger([{}]).node("id-1"), "id-1"), null);
});

Deno.test("rank() prefers the preferred label, then the fewest of the app, then the most room", () => {
  const prefers = spec(["place {", "  prefer disk=ssd", "}", "ram 100mb"]);
  const nodes = ledger([
    { labels: { disk: "ssd" }, apps: new Map([["web", 3]]), ramUsedBytes: 800 * MIB },
    { apps: new Map([["web", 1]]) },
    { ramUsedBytes: 500 * MIB },
    {},
  ]);
  const ranks = nodes.all().map((node) => ({
    name: node.name,
    rank: rank(prefers, node, new Map()),
  }));
  ranks.sort((a, b) => compareRanks(a.rank, b.rank));
  assertEquals(ranks.map((each) => each.name), ["node-1", "node-4", "node-3", "node-2"]);
  assertEquals(explainRank(ranks[0]!.rank), "fewest of the app there (3)");
  assertEquals(explainRank(ranks[1]!.rank), "nothing runs there");
});

Deno.test("choose() spreads over nodes, or over the values of a label", () => {
  const three = ledger([{}, {}, {}]);
  const counts = (nodes: Ledger) => nodes.all().map((node) => node.apps.get("web") ?? 0);
  choose(spec(), 7, three);
  assertEquals(counts(three), [3, 2, 2]);
  const zones = ledger(["a", "a", "a", "b"].map((zone) => ({ labels: { zone }, cores: 64 })));
  choose(spec(["place {", "  spread label:zone", "}"]), 6, zones);
  assertEquals(counts(zones), [1, 1, 1, 3]);
});

Deno.test("choose() spreads what stays, and counts what is to be replaced only after that", () => {
  // The last one of two is to be placed: one that is replaced on each of the others, the first here.
  const nodes = ledger([
    { apps: new Map([["web", 1]]), replicas: 2 },
    { apps: new Map([["web", 1]]), replicas: 2 },
    { apps: new Map([["web", 1]]), replicas: 1 },
  ]);
  const passing = new Map([["id-1", 1], ["id-2", 1]]);
  const { choices } = choose(spec(), 1, nodes, undefined, undefined, passing);
  assertEquals(choices.map((choice) => choice.node), ["id-1"]);
  const free = ledger([{ apps: new Map([["web", 1]]) }, {}]);
  const [beside] = choose(spec(), 1, free, undefined, undefined, new Map([["id-1", 1]])).choices;
  assertEquals(beside!.node, "id-2", "where nothing of it is, rather");
});

Deno.test("choose() keeps all replicas with a volume on one node", () => {
  const nodes = ledger([{}, {}, {}]);
  const { choices } = choose(spec(["volume {", "  path data", "}"]), 3, nodes);
  assertEquals(new Set(choices.map((choice) => choice.node)).size, 1);
});

/** Nodes of random sizes, and apps of random needs. */
const fleet = fc.array(
  fc.record({
    ramTotalBytes: fc.nat(4_096).map((mib) => mib * MIB),
    cores: fc.integer({ min: 1, max: 8 }),
    gpu: fc.boolean(),
    alive: fc.boolean(),
    labels: fc.record({ zone: fc.constantFrom("a", "b") }),
  }),
  { minLength: 1, maxLength: 8 },
);
const apps = fc.array(
  fc.record({
    ram: fc.integer({ min: 1, max: 900 }),
    cpu: fc.constantFrom(0.1, 0.25, 0.3, 1, 2),
    fixed: fc.boolean(),
    spread: fc.constantFrom("node", "label:zone"),
    gpu: fc.boolean(),
    count: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 6 },
);

Deno.test("choose() never gives away what a node has not, and gives a reason for each node", () => {
  fc.assert(fc.property(fleet, apps, (nodes, wishes) => {
    const book = ledger(nodes);
    for (const [at, wish] of wishes.entries()) {
      const each = spec([
        `ram ${wish.ram}mb`,
        `cpu ${wish.cpu}`,
        ...(wish.fixed ? [`port ${8_000 + at % 3} fixed`] : []),
        ...(wish.gpu ? ["gpu true"] : []),
        "place {",
        `  spread ${wish.spread}`,
        "}",
      ], `app-${at}`);
      const { choices, refusals } = choose(each, wish.count, book);
      assert(choices.length <= wish.count);
      if (choices.length < wish.count) {
        assertEquals(refusals.length, nodes.length);
        for (const node of book.all()) {
          assert(refusals.some((text) => text.startsWith(`${node.name}: `)), node.name);
        }
      }
      for (const { node } of choices) {
        assert(book.node(node).alive && (!wish.gpu || book.node(node).gpu));
      }
    }
    for (const node of book.all()) {
      assert(node.ramUsedBytes <= node.ramTotalBytes, "RAM");
      assert(node.coresUsed <= node.cores + 0.002, "cores");
      for (const [port, count] of node.fixedPorts) assertEquals(count, 1, `port ${port}`);
    }
  }));
});

Deno.test("choose() chooses alike whatever the order in which the nodes and bookings came", () => {
  fc.assert(fc.property(fleet, apps, fc.array(fc.nat()), (nodes, wishes, order) => {
    const specs = wishes.map((wish, at) =>
      spec([`ram ${wish.ram}mb`, `cpu ${wish.cpu}`], `app-${at}`)
    );
    const shuffled = <T>(items: readonly T[]): T[] =>
      items.map((item, at) => [order[at] ?? 0, item] as const).sort((a, b) => a[0] - b[0])
        .map(([, item]) => item);
    const plan = (mix: <T>(items: readonly T[]) => T[]) => {
      const book = new Ledger();
      for (const [at, node] of mix([...nodes.entries()])) {
        book.describe(`id-${at}`, { name: `node-${at % 3}`, ...node });
      }
      for (const [at, each] of mix([...specs.entries()])) {
        book.take(`id-${at % nodes.length}`, each);
      }
      return choose(specs[0]!, 12, book);
    };
    assertEquals(plan(shuffled), plan((items) => [...items]));
  }));
});

Deno.test("Ledger gives back exactly what was taken", () => {
  fc.assert(fc.property(apps, fc.array(fc.nat()), (wishes, order) => {
    const book = ledger([{}]);
    const specs = wishes.map((wish, at) =>
      spec([`ram ${wish.ram}mb`, `cpu ${wish.cpu}`], `app-${at}`)
    );
    const before = structuredClone(book.node("id-1"));
    for (const each of specs) book.take("id-1", each);
    specs.map((each, at) => [order[at] ?? 0, each] as const).sort((a, b) => a[0] - b[0])
      .forEach(([, each]) => book.give("id-1", each));
    assertEquals(structuredClone(book.node("id-1")), before);
  }));
});

Deno.test("rank() prefers a node with the apps it should be near to, before it spreads", () => {
  const near = spec(["replicas 3", "place {", "  near db", "}"]);
  const made = ledger([{}, {}, {}]);
  made.take("id-2", spec([], "db"));
  const { choices } = choose(near, 3, made);
  assertEquals(choices.map((choice) => choice.node), ["id-2", "id-2", "id-2"]);
  const full = ledger([{}, { bar: "it is cordoned" }, {}]);
  full.take("id-2", spec([], "db"));
  assertEquals(choose(near, 1, full).choices[0]!.node, "id-1", "rather near is no must");
});

Deno.test("avoid holds both ways: neither comes to where the other is", () => {
  const shy = spec(["place {", "  avoid db", "}"]);
  const made = ledger([{}]);
  made.take("id-1", shy);
  const db = spec([], "db");
  assertEquals(whyNot(db, made.node("id-1")), "an app that runs there avoids db");
  made.give("id-1", shy);
  assertEquals(whyNot(db, made.node("id-1")), null);
  made.take("id-1", db);
  assertEquals(whyNot(shy, made.node("id-1")), "avoids db, which runs there");
});
