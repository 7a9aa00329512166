// The tower in a sealed mesh: what is said plainly, or by a peer of another role, changes nothing.

import { assertEquals } from "@std/assert";
import { encodeMesh } from "../core/mesh.ts";
import type { Peer, Role } from "../core/seal/primitives.ts";
import { bootId, endpointOf, LOCAL, nodeId } from "./testing.ts";
import { type TowerEffect, TowerMachine } from "./machine.ts";

const NOW = { monoMs: 5_000, wallMs: 1_790_000_000_000 };

const peerOf = (role: Role, node?: string): Peer => ({
  role,
  name: role,
  identity: "0".repeat(64),
  ...(node === undefined ? {} : { node }),
});

function tower() {
  const machine = new TowerMachine({ boot: bootId(1), sealed: true }, NOW);
  machine.step({ k: "start" }, NOW);
  let watchers = 0;
  return {
    machine,
    /** What comes of a stream that begins with this hello and goes on with these messages. */
    watch(role: string, peer: Peer | undefined, ...more: object[]): TowerEffect[] {
      const watcher = ++watchers;
      const rest = { watcher, host: "127.0.0.1", app: null, ...(peer ? { peer } : {}) };
      machine.step({ k: "watcher-connected", ...rest }, NOW);
      return [{ k: "hello", role, name: role }, ...more].flatMap((message) =>
        machine.step({ k: "watcher-message", watcher, text: JSON.stringify(message) }, NOW)
      );
    },
  };
}

const closed = (effects: readonly TowerEffect[]) => effects.some((effect) => effect.k === "close");

Deno.test("a sealed tower takes registrations of a node from that node alone", () => {
  const { machine } = tower();
  const text = encodeMesh({
    k: "register",
    node: nodeId(1),
    boot: bootId(2),
    request: "r",
    endpoints: [endpointOf("r1")],
  });
  const said = (peer?: Peer) =>
    machine.step({ k: "datagram", text, from: { ...LOCAL, ...(peer ? { peer } : {}) } }, NOW);
  for (const peer of [undefined, peerOf("ingress"), peerOf("tower"), peerOf("node", nodeId(2))]) {
    assertEquals(said(peer).filter((effect) => effect.k === "datagram"), []);
    assertEquals(machine.registry.size, 0);
  }
  assertEquals(said(peerOf("node", nodeId(1))).some((effect) => effect.k === "datagram"), true);
  assertEquals(machine.registry.size, 1);
});

Deno.test("a sealed tower takes no plain REGISTER, not even from loopback", () => {
  const { machine } = tower();
  const text = "REGISTER|api|10.0.0.1|80";
  const [answer] = machine.step({ k: "datagram", text, from: LOCAL }, NOW);
  assertEquals(answer?.k === "datagram" && answer.text, "ERR|UNAUTHORIZED");
  assertEquals(machine.registry.size, 0);
});

Deno.test("a sealed tower takes routes from the conductor alone, and nobody under another's role", () => {
  const routes = [{ app: "shop", path: "/", sticky: false, weight: 1, tlsRequired: false }];
  const publish = { k: "publish", routes };
  for (
    const [role, peer] of [
      ["conductor", undefined],
      ["ingress", undefined],
      ["conductor", peerOf("ingress")],
      ["conductor", peerOf("node", nodeId(1))],
      ["ingress", peerOf("node", nodeId(1))],
      ["ingress", peerOf("ingress")],
    ] as const
  ) {
    const { machine, watch } = tower();
    assertEquals(closed(watch(role, peer, publish)), true, `${role} by ${peer?.role}`);
    assertEquals(machine.watch.routes.length, 0);
  }
  const { machine, watch } = tower();
  assertEquals(closed(watch("conductor", peerOf("conductor"), publish)), false);
  assertEquals(machine.watch.routes.length, 1);
  assertEquals(closed(watch("ingress", peerOf("ingress"))), false);
  // Workloads on this machine may still look things up without a seal.
  assertEquals(closed(watch("client", undefined)), false);
});
