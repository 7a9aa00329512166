// Two conductors around one log: one leads, the other hears everything and may lead at any time.

import { assert, assertEquals } from "@std/assert";
import type { Entry } from "../../core/log.ts";
import type { Mesh } from "../../core/mesh.ts";
import type { ConductorEvent } from "../effects.ts";
import { manifestOf, Rig, type RigNode } from "../rig_test.ts";
import { saveState } from "../snapshot.ts";

const SELF = { name: "one", identity: "1".repeat(64) };

/** A rig that shares its log and its nodes with another. */
class Twin extends Rig {
  other: Twin | null = null;
  dead = false;

  constructor() {
    super({ several: true, self: SELF });
  }

  override step(event: ConductorEvent): void {
    if (event.on === "mesh") this.other?.hear(event);
    if (!this.dead) super.step(event);
  }

  hear(event: ConductorEvent): void {
    if (!this.dead) super.step(event);
  }

  override append(entry: Entry): void {
    if (this.diskError !== null) return super.append(entry);
    const last = Math.max(this.log.length, this.other?.log.length ?? 0);
    assertEquals(entry.sequence, last + 1, "the store takes only what follows");
    super.append(entry);
    this.other?.log.push(entry);
    this.other?.hear({ on: "followed", entry });
  }
}

class Pair {
  readonly one = new Twin();
  readonly two = new Twin();

  constructor(nodes: number) {
    this.one.other = this.two;
    for (let number = 1; number <= nodes; number++) {
      const node = this.one.addNode(number);
      this.two.nodes.set(node.host, node);
    }
    this.live(500);
    this.lead(this.one, 5);
    this.live(500);
  }

  get nodes(): RigNode[] {
    return [...this.one.nodes.values()];
  }

  lead(rig: Twin, term: number, forMs = 600_000): void {
    rig.step({ on: "lead", term, untilMonoMs: rig.monoMs + forMs });
  }

  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 250) {
      for (const rig of [this.one, this.two]) if (!rig.dead) rig.advance(250);
      for (const node of this.nodes) node.beat();
    }
  }

  running(app: string): string[] {
    return this.nodes.flatMap((node) =>
      [...node.statuses.values()]
        .filter((each) => each.app === app && each.state !== "finished")
        .map((each) => each.replica)
    ).sort();
  }
}

const orders = (rig: Rig) =>
  rig.sent.map(({ message }) => message).filter((each): each is Mesh<"run"> | Mesh<"stop"> =>
    each.k === "run" || each.k === "stop"
  );

Deno.test("a standby follows the log and the nodes, and says and orders nothing", () => {
  const pair = new Pair(2);
  pair.one.apply("web", manifestOf("web", ["replicas 3"]));
  pair.live(1_000);
  assertEquals(pair.running("web").length, 3);
  assertEquals(orders(pair.two), []);
  assertEquals(saveState(pair.two.machine.state), saveState(pair.one.machine.state));
  assert(pair.two.effects.every((each) => each.do !== "append" && each.do !== "publish"));
  const oks = pair.two.sent.filter(({ message }) => message.k === "beat-ok");
  assert(oks.every(({ message }) => message.k === "beat-ok" && message.standby));
  assertEquals(pair.two.sent.filter(({ message }) => message.k === "status-ok"), []);
});

Deno.test("the first entry of who leads is its term, and its orders carry it with the lease", () => {
  const pair = new Pair(1);
  const terms = pair.one.log.filter(({ body }) => body.kind === "term");
  assertEquals(terms.map(({ body }) => body), [{ kind: "term", term: 5, ...SELF }]);
  pair.one.apply("web", manifestOf("web"));
  const [run] = orders(pair.one);
  const { boot } = pair.nodes[0]!;
  const until = run?.reign?.until;
  assertEquals([run?.reign?.term, until?.boot], [5, boot]);
  assert(until && until.ms > 590_000 && until.ms < 600_000, `${until?.ms} ms`);
});

Deno.test("whoever takes over places at once, starts nothing twice and loses nothing", () => {
  const pair = new Pair(3);
  pair.one.apply("web", manifestOf("web", ["replicas 4"]));
  pair.live(1_000);
  const before = pair.running("web");
  pair.one.dead = true;
  pair.live(2_000);
  pair.lead(pair.two, 9);
  assertEquals(pair.two.machine.state.term?.term, 9);
  const manifest = manifestOf("api", ["replicas 2"]);
  const id = "second-000001";
  pair.two.ask(pair.two.signed({ verb: "APPLY", id, app: "api", generation: 1, manifest }));
  assertEquals(pair.running("api").length, 2, "no waiting for nodes that were heard all along");
  pair.live(2_000);
  assertEquals(pair.running("web"), before);
  const started = orders(pair.two).filter((each) => each.k === "run" && each.app === "web");
  assertEquals(started, [], "what runs is not started again");
});

Deno.test("a rollout that is under way goes on under the next conductor", () => {
  const pair = new Pair(3);
  const manifest = manifestOf("web", [
    "replicas 3",
    "port 8001",
    "health {",
    "  check GET /health 200",
    "}",
    "rollout {",
    "  batch 1",
    "}",
  ]);
  pair.one.apply("web", manifest);
  pair.live(1_000);
  for (const node of pair.nodes) node.quick = false;
  pair.one.apply("web", manifest);
  pair.live(500);
  pair.one.dead = true;
  pair.live(2_000);
  pair.lead(pair.two, 9);
  for (const node of pair.nodes) {
    node.quick = true;
    for (const status of [...node.statuses.values()]) {
      if (status.state === "starting") node.become(status.replica, "ready");
    }
  }
  pair.live(5_000);
  const generations = pair.nodes.flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.state === "ready").map((e) => e.generation)
  );
  assertEquals(generations, [2, 2, 2]);
});

Deno.test("what was ordered and decided before counts for nothing when the lease is over", () => {
  const pair = new Pair(1);
  pair.lead(pair.one, 5, 1_000);
  for (const node of pair.nodes) node.cut = true;
  pair.one.apply("web", manifestOf("web"));
  const count = orders(pair.one).length;
  assert(count > 0);
  // It does not know that its lease is over: it only looks at its clock.
  pair.one.monoMs += 1_000;
  pair.one.step({ on: "tick" });
  pair.one.advance(5_000);
  assertEquals(orders(pair.one).length, count);
  const held = pair.one.send(pair.one.signed({ verb: "STOP", id: "stop-000001", app: "web" }));
  pair.one.advance(1_000);
  assertEquals(pair.one.replies.get(held), undefined, "nothing is appended");
  pair.one.step({ on: "stand-by" });
  assertEquals(pair.one.replies.get(held), null, "whoever waits is not told that it was done");
});

Deno.test("an entry in doubt is taken once, from the log, by who does not lead any more", () => {
  const pair = new Pair(1);
  pair.one.holdAppends = true;
  const reply = pair.one.send(
    pair.one.signed({
      verb: "APPLY",
      id: "apply-000001",
      app: "web",
      generation: 1,
      manifest: manifestOf("web"),
    }),
  );
  const [held] = pair.one.held;
  assert(held?.do === "append");
  pair.one.step({ on: "stand-by" });
  assertEquals(pair.one.replies.get(reply), null);
  // It had come in, after all.
  pair.two.log.push(held.entry);
  for (const rig of [pair.one, pair.two]) rig.hear({ on: "followed", entry: held.entry });
  pair.one.hear({ on: "followed", entry: held.entry });
  assertEquals(pair.one.machine.state.head, pair.two.machine.state.head);
  pair.two.other = null;
  pair.lead(pair.two, 9);
  assertEquals(pair.two.machine.state.apps.size, 1);
});

Deno.test("a log that was led by one of several is gone on with alone, in a term of its own", () => {
  const pair = new Pair(1);
  const alone = new Rig();
  alone.log.push(...pair.one.log);
  alone.restart();
  alone.step({ on: "tick" });
  assertEquals(alone.machine.state.term?.term, 6);
  alone.addNode(1);
  alone.live(500);
  alone.apply("web", manifestOf("web"));
  assertEquals(orders(alone)[0]?.reign, { term: 6 });
});

Deno.test("a log that was brought back goes beyond the terms that its nodes have heard of", () => {
  const rig = new Rig();
  const node = rig.addNode(1, { term: 40 });
  rig.live(500);
  assertEquals(rig.machine.state.term?.term, 41);
  rig.apply("web", manifestOf("web"));
  assertEquals(orders(rig)[0]?.reign, { term: 41 });
  assertEquals(node.statuses.size, 1);
});
