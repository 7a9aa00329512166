// What one change costs in a large cluster: not in time, which no test measures, but in how many
// members of all maps and sets are walked through for it.

import { assert, assertEquals } from "@std/assert";
import { manifestOf, Rig } from "./rig_test.ts";

/** How many members maps and sets give out while `act` goes on. */
function walked(act: () => void): number {
  let count = 0;
  const undo: (() => void)[] = [];
  for (const kind of [Map, Set]) {
    const own = kind.prototype as unknown as Record<string | symbol, () => Iterator<unknown>>;
    for (const name of ["values", "keys", "entries", Symbol.iterator]) {
      const original = own[name]!;
      own[name] = function* (this: unknown) {
        for (const each of { [Symbol.iterator]: () => original.call(this) }) {
          count++;
          yield each;
        }
      } as () => Iterator<unknown>;
      undo.push(() => own[name] = original);
    }
  }
  try {
    act();
  } finally {
    for (const each of undo) each();
  }
  return count;
}

const APP_REPLICAS = 10;

/** Nodes with ten replicas each, in apps of ten. */
function clusterOf(nodes: number): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number, { cores: 64 });
  for (let app = 0; app < nodes; app++) {
    rig.apply(`app-${app}`, manifestOf(`app-${app}`, [`replicas ${APP_REPLICAS}`]));
  }
  // Every first rollout comes to its end.
  rig.live(5_000);
  rig.effects.length = 0;
  rig.sent.length = 0;
  return rig;
}

const CHANGES: Record<string, { most: number; act(rig: Rig): void }> = {
  // The bench's node makes its digest of its ten replicas.
  "a beat": { most: APP_REPLICAS + 5, act: (rig) => rig.nodes.get("10.0.0.3")!.beat() },
  "a replica that fails, and is ready again": {
    most: 40 * APP_REPLICAS,
    act(rig) {
      const node = rig.nodes.get("10.0.0.3")!;
      const replica = [...node.statuses.keys()][0]!;
      node.become(replica, "starting", { restarts: 1 });
      node.become(replica, "ready");
    },
  },
  "a larger number of one app": {
    most: 80 * APP_REPLICAS,
    act: (rig) => rig.scale("app-1", String(APP_REPLICAS + 2)),
  },
  "a new app with routes": {
    most: 40,
    act: (rig) => rig.apply("new", manifestOf("new", ["route {", "  path /", "}"])),
  },
  "an app that is taken down": { most: 40 * APP_REPLICAS, act: (rig) => rig.down("app-2") },
};

for (const [name, { most, act }] of Object.entries(CHANGES)) {
  Deno.test(`${name} costs the same in a cluster four times as large`, () => {
    const [small, large] = [20, 80].map((nodes) => {
      const rig = clusterOf(nodes);
      return walked(() => act(rig));
    }) as [number, number];
    assert(large <= most, `${large} members are walked through, at most ${most} should be`);
    assert(large <= small * 1.2, `${small} members with 20 nodes, ${large} with 80`);
  });
}

Deno.test("a LIST by UDP looks through no more apps than a datagram has room for, and counts all", () => {
  const rig = clusterOf(160);
  for (const node of rig.nodes.values()) {
    for (const replica of [...node.statuses.keys()]) node.become(replica, "ready", { pid: 4_711 });
  }
  const ask = (via: "udp" | "tcp") => rig.ask("LIST", { via, address: "127.0.0.1" })!;
  const [short, long] = [ask("udp"), ask("tcp")];
  assertEquals(long.split(",").length, 160 * APP_REPLICAS);
  for (const reply of [short, long]) assert(reply.startsWith(`OK|LIST|${160 * APP_REPLICAS}|`));
  assert(short.length < 18_000 && long.startsWith(short.slice(0, 16_384)), `${short.length}`);
  assert(walked(() => ask("udp")) < walked(() => ask("tcp")) / 2);
});
