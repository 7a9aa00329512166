import { assert, assertEquals } from "@std/assert";
import type { MeshMessage } from "../mesh.ts";
import { maySay } from "./permits.ts";
import type { Peer, Role } from "./primitives.ts";

const NODE = "1".repeat(32);
const OTHER = "2".repeat(32);

const peer = (role: Role): Peer => ({
  role,
  name: role,
  identity: "0".repeat(64),
  ...(role === "node" ? { node: NODE } : {}),
});

const stopOk = (node: string): MeshMessage => ({
  k: "stop-ok",
  node,
  boot: "0".repeat(16),
  replica: "shop.1",
});

Deno.test("maySay(): a node speaks for itself and for no other node", () => {
  assert(maySay(peer("node"), stopOk(NODE)));
  assert(!maySay(peer("node"), stopOk(OTHER)));
  const boot = "0".repeat(16);
  const register = (node: string): MeshMessage => ({
    ...{ k: "register", node, boot, request: "r", endpoints: [] },
  });
  assert(maySay(peer("node"), register(NODE)));
  assert(!maySay(peer("node"), register(OTHER)));
  const answer = (by: string): MeshMessage => ({ k: "probe-ok", by, boot, request: "r" });
  assert(maySay(peer("node"), answer(NODE)));
  assert(!maySay(peer("node"), answer(OTHER)));
  assert(maySay(peer("node"), { k: "probe", node: OTHER, request: "r" }));
});

Deno.test("maySay(): orders come from the conductor, leases are the tower's, each message its role's", () => {
  const messages: readonly (readonly [MeshMessage, readonly Role[]])[] = [
    [{ k: "stop", node: NODE, replica: "shop.1" }, ["conductor"]],
    [
      { k: "run", node: NODE, replica: "r", app: "shop", generation: 1, sequence: 1, index: 0 },
      ["conductor"],
    ],
    [{ k: "status-ok", node: NODE, replica: "r", version: 1 }, ["conductor"]],
    [{ k: "lease-ok", tower: "0".repeat(16), node: NODE, digest: 0 }, ["tower"]],
    [stopOk(NODE), ["node"]],
    [{ k: "probe", node: NODE, request: "r" }, ["conductor", "node"]],
  ];
  for (const [message, roles] of messages) {
    const may = (["conductor", "tower", "node", "ingress", "operator"] as const).filter((role) =>
      maySay(peer(role), message)
    );
    assertEquals(may, [...roles], message.k);
    assert(maySay(undefined, message), "an open mesh believes everybody");
  }
});
