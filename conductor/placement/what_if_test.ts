import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { NODE_DEAD_MS } from "../../core/limits.ts";
import type { WhatIfView } from "../../core/view.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { saveState } from "../snapshot.ts";
import { parseQuestion, type Question, whatIf } from "./what_if.ts";

function cluster(): Rig {
  const rig = new Rig();
  for (const number of [1, 2, 3]) rig.addNode(number);
  rig.live(1_000);
  rig.apply("web", manifestOf("web", ["replicas 3", "ram 1gb"]));
  rig.apply("db", manifestOf("db", ["ram 1gb", "volume { path data; env DATA }"]));
  rig.apply("one", manifestOf("one", ["ram 5gb"]));
  rig.live(1_000);
  return rig;
}

function ask(rig: Rig, question: Partial<Question>): WhatIfView {
  const answer = whatIf(rig.machine, { lose: [], add: [], ...question }, rig.now);
  if ("error" in answer) throw new Error(answer.error);
  return answer;
}

const placed = (operations: readonly string[]) =>
  operations.filter((line) => line.startsWith("place "))
    .map((line) => line.replace(/:.*/, "").replace("place ", "")).sort();

Deno.test("what happens if a node dies is what then happens", () => {
  const rig = cluster();
  for (const node of [...rig.nodes.values()]) {
    const answer = ask(rig, { lose: [node.name] });
    const world = cluster();
    const entries = world.log.length;
    [...world.nodes.values()].find((each) => each.name === node.name)!.cut = true;
    world.live(NODE_DEAD_MS + 1_000);
    const done = world.log.slice(entries).flatMap(({ body }) =>
      body.kind === "decision" ? body.reasons : []
    );
    assertEquals(placed(answer.operations), placed(done), node.name);
    assertEquals(
      answer.operations.filter((line) => line.startsWith("forget ")).sort(),
      done.filter((line) => line.startsWith("forget ")).sort(),
    );
    assertEquals(answer.unplaced, [...world.machine.unplaced.values()].flat());
    assertEquals(answer.waiting, [...world.machine.waiting.values()].flat());
  }
});

Deno.test("what-if changes nothing", () => {
  const rig = cluster();
  const look = () =>
    JSON.stringify([
      saveState(rig.machine.state),
      rig.machine.ledger.all().map((node) => ({
        ...node,
        apps: [...node.apps],
        fixedPorts: [...node.fixedPorts],
      })),
      [...rig.machine.fleet.values()].map((node) => [node.state, node.heardMonoMs]),
      rig.machine.wakeMonoMs(),
    ]);
  const before = look();
  const add = Array(5).fill({ gpu: false, labels: {} });
  ask(rig, { lose: ["node-1", "node-2"], add });
  assertEquals(look(), before);
});

Deno.test("what-if says what would wait, find no place, and be interrupted", () => {
  const rig = cluster();
  const home = rig.machine.fleet.get(rig.machine.state.apps.get("db")!.home!)!.name;
  const one = rig.places("one")[0]!.split("@")[1]!;
  const lost = ask(rig, { lose: [home] });
  assertStringIncludes(lost.waiting.join(), "db.1: its volume is on");
  assertEquals(lost.interrupted.includes("db"), true);
  const both = ask(rig, { lose: [one, ...["node-1", "node-2", "node-3"].slice(0, 2)] });
  assert(both.interrupted.includes("one") || one === "node-3");
  const tight = ask(rig, { lose: ["node-1", "node-2", "node-3"] });
  assertStringIncludes(
    tight.unplaced.join("\n"),
    "cannot place web on node-1: it is not answering",
  );
  const { replicasBefore, replicasAfter, change } = lost.nodes.find((node) => node.name === home)!;
  assertEquals([change, replicasAfter > 0, replicasBefore > 0], ["lost", true, true]);
});

Deno.test("what-if adds nodes: what has no place finds one, and the rest would gain", () => {
  const rig = cluster();
  rig.apply("fast", manifestOf("fast", ["replicas 2", "place { require disk=fast }"]));
  rig.live(500);
  assertEquals(rig.places("fast"), []);
  const add = [{ gpu: false, labels: { disk: "fast" }, ramBytes: 4 * 2 ** 30 }];
  const answer = ask(rig, { add });
  assertEquals(placed(answer.operations), ["fast.1 on new-1", "fast.2 on new-1"]);
  assertEquals(answer.unplaced, []);
  assertEquals(answer.nodes.find((node) => node.name === "new-1")!.replicasAfter, 2);
  const plain = ask(rig, { add: [{ gpu: false, labels: {} }] });
  assertStringIncludes(plain.unplaced.join(), "cannot place fast on new-1: needs label disk=fast");
  assert(plain.moves.length > 0 && plain.moves[0]!.includes("on new-1"), plain.moves.join());
});

Deno.test("parseQuestion() reads a question, and says what is wrong with one", () => {
  const read = (query: string) => parseQuestion(new URLSearchParams(query));
  assertEquals(read("lose=node-1,node-2"), { lose: ["node-1", "node-2"], add: [] });
  assertEquals(read("add=2&ram=1024&cpu=1.5&labels=a=b,c=d&gpu=1"), {
    lose: [],
    add: Array(2).fill({ ramBytes: 1024, cores: 1.5, gpu: true, labels: { a: "b", c: "d" } }),
  });
  for (const query of ["", "add=-1", "add=1.5", "add=100000", "add=1&ram=x", "add=1&labels=a"]) {
    assert("error" in read(query), query);
  }
  const rig = cluster();
  const answer = whatIf(rig.machine, { lose: ["node-9"], add: [] }, rig.now);
  assertEquals(answer, { error: "no node is named node-9; skr8tr nodes shows them" });
});
