import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createPrng, type Prng } from "./prng.ts";
import { byApp, byIndex, byName, statusChanges, withChanges } from "./status_changes.ts";
import type { AppView, NodeView, ReplicaView, StatusView } from "./view.ts";

function nodeOf(number: number, more: Partial<NodeView> = {}): NodeView {
  return {
    ...{ id: String(number).padStart(32, "0"), name: `node-${number}`, host: "10.0.0.1" },
    ...{ port: 7775, state: "ready", cpuPercent: 12, cores: 4, ramTotalBytes: 2 ** 33 },
    ...{ ramFreeBytes: 2 ** 32, gpu: false, labels: {}, replicas: 60, silentMs: 17 },
    ...more,
  };
}

function replicaOf(app: string, number: number, more: Partial<ReplicaView> = {}): ReplicaView {
  return {
    ...{ replica: `${app}.${number}`, index: number, generation: 1, node: "node-1" },
    ...{ nodeId: "1".padStart(32, "0"), host: "10.0.0.1", port: 30_000 + number, pid: 4_000 },
    ...{ state: "ready", sinceWallMs: 1_700_000_000_000, restarts: 0 },
    ...more,
  };
}

function appOf(
  app: string,
  replicas: readonly ReplicaView[],
  more: Partial<AppView> = {},
): AppView {
  return {
    ...{ app, namespace: "default", type: "service", generation: 1, wanted: replicas.length },
    ...{ ready: replicas.length, state: "ready", reasons: [], replicas },
    ...{ signedBy: "a".repeat(64), signedWallMs: 1_700_000_000_000 },
    ...more,
  };
}

function statusOf(nodes: readonly NodeView[], apps: readonly AppView[], sequence = 1): StatusView {
  return {
    conductor: { version: "1.0.0", boot: "b", upMs: sequence },
    ...{ sequence, nodes: nodes.toSorted(byName), apps: apps.toSorted(byApp), problems: [] },
  };
}

/** What the deck has after it was told: over the wire as text. */
function told(before: StatusView, after: StatusView): StatusView {
  const changes = statusChanges(before, after);
  return changes === null ? before : withChanges(before, JSON.parse(JSON.stringify(changes)));
}

Deno.test("statusChanges() tells of one replica among thousands in a few hundred bytes", () => {
  const appWith = (number: number, more: Partial<ReplicaView> = {}) =>
    appOf(
      `app-${number}`,
      Array.from({ length: 100 }, (_, at) => replicaOf(`app-${number}`, at, at === 7 ? more : {})),
    );
  const nodes = Array.from({ length: 100 }, (_, at) => nodeOf(at));
  const apps = Array.from({ length: 60 }, (_, at) => appWith(at));
  const before = statusOf(nodes, apps);
  const after = statusOf(nodes, apps.with(3, appWith(3, { state: "starting", restarts: 1 })), 2);
  const [whole, part] = [after, statusChanges(before, after)].map((each) =>
    JSON.stringify(each).length
  );
  assert(whole! > 1_000_000, `${whole} bytes of 6,000 replicas`);
  assert(part! < 1_000, `${part} bytes of one of them`);
  assertEquals(told(before, after), after);
});

Deno.test("statusChanges() takes load and a beat for no news, and a node's silence for one", () => {
  const before = statusOf([nodeOf(1), nodeOf(2)], []);
  const beat = { cpuPercent: 99, ramFreeBytes: 1, silentMs: 240 };
  assertEquals(statusChanges(before, statusOf([nodeOf(1, beat), nodeOf(2)], [])), null);
  const [off, still] = [5_000, 5_003].map((clockOffMs) =>
    statusOf([nodeOf(1, { clockOffMs })], [])
  );
  assert(statusChanges(statusOf([nodeOf(1)], []), off!) !== null);
  assertEquals(statusChanges(off!, still!), null);
  const dead = nodeOf(1, { state: "dead", silentMs: 12_000 });
  const changes = statusChanges(before, statusOf([dead, nodeOf(2)], []))!;
  assertEquals(changes.nodes, { changed: [dead], gone: [] });
  assertEquals([changes.apps, changes.problems], [undefined, undefined]);
});

Deno.test("withChanges() leaves what has not changed as it was", () => {
  const before = statusOf([nodeOf(1)], [appOf("a", [replicaOf("a", 1), replicaOf("a", 2)])]);
  const fresh = appOf("a", [replicaOf("a", 1), replicaOf("a", 2, { state: "stopping" })]);
  const after = told(before, statusOf([nodeOf(1)], [fresh], 2));
  assertStrictEquals(after.nodes[0], before.nodes[0]);
  assertStrictEquals(after.apps[0]!.replicas[0], before.apps[0]!.replicas[0]);
  assertEquals(after.apps[0], fresh);
});

Deno.test("byIndex() puts the older first of two replicas that stand for the same", () => {
  const [old, young] = [9, 10].map((number) => replicaOf("a", number, { index: 0 }));
  assertEquals([young, old].toSorted(byIndex as never), [old, young]);
});

let fresh = 1_000;

/** Something else than before, in every part. */
function shaken(status: StatusView, chance: Prng): StatusView {
  const nodes = status.nodes.filter(() => chance.next() > 0.1)
    .map((node) => chance.next() < 0.2 ? { ...node, replicas: chance.below(9) } : node);
  if (chance.next() < 0.4) nodes.push(nodeOf(fresh++));
  const apps = status.apps.filter(() => chance.next() > 0.1).map((app) => {
    if (chance.next() < 0.4) return app;
    const replicas = app.replicas.filter(() => chance.next() > 0.2)
      .map((each) => chance.next() < 0.3 ? { ...each, restarts: each.restarts + 1 } : each)
      .map(({ reason: _, ...each }) => chance.next() < 0.2 ? { ...each, reason: "why" } : each);
    if (chance.next() < 0.5) {
      replicas.push(replicaOf(app.app, fresh++, { index: chance.below(5) }));
    }
    const reasons = chance.next() < 0.3 ? ["one", "two"].slice(chance.below(3)) : app.reasons;
    return { ...app, reasons, replicas: replicas.sort(byIndex), ready: chance.below(5) };
  });
  if (chance.next() < 0.4) {
    const name = `app-${chance.below(1_000)}`;
    if (!apps.some(({ app }) => app === name)) apps.push(appOf(name, [replicaOf(name, 1)]));
  }
  const problems = chance.next() < 0.3 ? [`problem ${chance.below(3)}`] : status.problems;
  return { ...statusOf(nodes, apps, status.sequence + chance.below(2)), problems };
}

Deno.test("whoever takes in all changes has what the whole would have told", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const chance = createPrng(seed);
  let actual = statusOf([nodeOf(1)], [appOf("a", [replicaOf("a", 1)])]);
  let seen = actual;
  for (let round = 0; round < 500; round++) {
    const fresh = shaken(actual, chance);
    seen = told(seen, fresh);
    actual = fresh;
    // Unless something has changed, not even how long the conductor is up is told.
    const { conductor } = seen;
    assertEquals({ ...seen, conductor }, { ...actual, conductor }, `seed ${seed} round ${round}`);
  }
});
