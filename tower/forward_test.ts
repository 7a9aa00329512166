// What goes through the tower between the ingresses and the conductor.

import { assertEquals } from "@std/assert";
import { LOST_SILENCE_MS } from "../core/limits.ts";
import type { WatcherMessage } from "../core/mesh.ts";
import { endpointOf, NodeVoice, Rig, STRANGER } from "./testing.ts";

const FIGURES: WatcherMessage = {
  k: "figures",
  boot: "00000000000000aa",
  name: "ingress-1",
  whole: false,
  apps: [{ app: "api", generation: 1, requests: 3, errors: 1, inFlight: 2, latency: [1, 2] }],
};

const kinds = (rig: Rig, watcher: number) => rig.heard(watcher).map((each) => each.k);

Deno.test("TowerMachine hands figures and wakes on to conductors, and to nobody else", () => {
  const rig = Rig.ready();
  const [ingress, other] = [rig.watch("ingress"), rig.watch("ingress")];
  const client = rig.watch("client");
  const conductor = rig.watch("conductor");
  for (const each of [ingress, other, client, conductor]) rig.heard(each);
  rig.say(ingress, FIGURES);
  rig.say(ingress, { k: "wake", app: "api" });
  assertEquals(rig.heard(conductor), [FIGURES, { k: "wake", app: "api" }]);
  for (const each of [ingress, other, client]) assertEquals(rig.heard(each), []);
});

Deno.test("TowerMachine asks ingresses for all their figures when a conductor comes", () => {
  const rig = Rig.ready();
  const ingress = rig.watch("ingress");
  const client = rig.watch("client");
  rig.heard(ingress);
  rig.heard(client);
  rig.watch("conductor");
  assertEquals(kinds(rig, ingress), ["figures-please"]);
  assertEquals(kinds(rig, client), []);
});

for (
  const [what, role, message] of [
    ["figures from a client", "client", FIGURES],
    ["figures from a conductor", "conductor", FIGURES],
    ["a wake from a client", "client", { k: "wake", app: "api" }],
    ["the word of a loss from an ingress", "ingress", { k: "lost", nodes: [] }],
    ["the word of a loss from a client", "client", { k: "lost", nodes: [] }],
  ] as const
) {
  Deno.test(`TowerMachine closes a watcher that sends ${what}`, () => {
    const rig = Rig.ready();
    const watcher = rig.watch(role);
    const conductor = rig.watch("conductor");
    rig.heard(conductor);
    rig.say(watcher, message);
    assertEquals(rig.closed.map((each) => each.watcher), [watcher]);
    assertEquals(rig.heard(conductor), []);
  });
}

Deno.test("TowerMachine takes no conductor from a stranger", () => {
  const rig = Rig.ready({ plain: ["192.0.2.0/24"] });
  const stranger = rig.watch("conductor", { host: STRANGER.hostname });
  assertEquals(rig.closed.map((each) => each.watcher), [stranger]);
});

Deno.test("TowerMachine lets the leases of lost nodes lapse at once, and says that they are lost", () => {
  const rig = Rig.ready();
  const [dead, alive] = [new NodeVoice(1, 1), new NodeVoice(2, 1)];
  const [one, two] = [endpointOf("r1"), endpointOf("r2")];
  const three = endpointOf("r3");
  rig.mesh(dead.register([one, two]));
  rig.advance(LOST_SILENCE_MS);
  rig.mesh(alive.register([three]));
  const conductor = rig.watch("conductor");
  const ingress = rig.watch("ingress");
  rig.heard(ingress);
  rig.say(conductor, { k: "lost", nodes: [dead.node, alive.node, "f".repeat(32)] });
  const [delta, ...more] = rig.heard(ingress);
  assertEquals(more, []);
  assertEquals(delta, {
    k: "delta",
    revision: rig.revision,
    up: [],
    down: ["r1", "r2"],
    lost: ["r1", "r2"],
  });
  assertEquals(rig.listed, ["r3"], "who is heard is not lost");
  // Said again it changes nothing; and a node that comes back is listed again.
  rig.say(conductor, { k: "lost", nodes: [dead.node] });
  assertEquals(rig.heard(ingress), []);
  rig.mesh(dead.register([one]));
  assertEquals(rig.listed, ["r1", "r3"]);
  assertEquals(rig.heard(ingress).map((each) => each.k), ["delta"]);
});

Deno.test("TowerMachine says of what leaves or lapses by itself that it is down, not lost", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([endpointOf("r1"), endpointOf("r2")]));
  const ingress = rig.watch("ingress");
  rig.heard(ingress);
  rig.mesh(node.deregister("r1"));
  rig.ack(ingress);
  rig.advance(10_000);
  const lost = rig.heard(ingress).map((each) => each.k === "delta" ? each.lost : each.k);
  assertEquals(lost, [undefined, "alive", undefined]);
});

Deno.test("TowerMachine passes over what a conductor says whose term is over", () => {
  const rig = Rig.ready();
  const [old, next] = [rig.watch("conductor"), rig.watch("conductor")];
  const ingress = rig.watch("ingress");
  rig.heard(ingress);
  const routes = [{ app: "web", path: "/", sticky: false, weight: 100, tlsRequired: false }];
  rig.say(next, { k: "publish", routes, term: 8 });
  assertEquals(rig.heard(ingress).map((each) => each.k), ["routes"]);
  rig.say(old, { k: "publish", routes: [], term: 5 });
  rig.say(old, { k: "publish", routes: [] });
  rig.say(old, { k: "lost", nodes: ["f".repeat(32)], term: 5 });
  assertEquals(rig.heard(ingress), []);
  rig.say(next, { k: "publish", routes: [], term: 8 });
  assertEquals(rig.heard(ingress).map((each) => each.k), ["routes"]);
});
