import { assertEquals } from "@std/assert";
import { LEASE_MS, NODE_GONE_REPLICAS, V1_LEASE_MS } from "../core/limits.ts";
import { digestOf, type Endpoint, type Mesh } from "../core/mesh.ts";
import { Registry, v1Replica } from "./registry.ts";
import { endpointOf, NodeVoice } from "./testing.ts";

type Register = Mesh<"register">;
type Deregister = Mesh<"deregister">;

function register(registry: Registry, voice: NodeVoice, endpoints: Endpoint[], nowMs = 0) {
  return registry.register(voice.register(endpoints) as Register, nowMs);
}

function listed(registry: Registry): string[] {
  return registry.endpoints().map((endpoint) => endpoint.replica).sort();
}

Deno.test("Registry.register() keeps each node within its bounds and says so", () => {
  const registry = new Registry({ endpoints: 3, nodes: 2 });
  const [one, two, three] = [new NodeVoice(1, 1), new NodeVoice(2, 1), new NodeVoice(3, 1)];
  assertEquals(register(registry, one, [endpointOf("a"), endpointOf("b")]), "applied");
  assertEquals(register(registry, two, [endpointOf("c"), endpointOf("d")]), "full");
  assertEquals(listed(registry), ["a", "b", "c"]);
  assertEquals(register(registry, three, []), "full");
  assertEquals(registry.registerV1("api", "10.0.0.1", 80, 0), false);
  assertEquals(register(registry, one, [endpointOf("a", "api", 9)]), "applied", "a change fits");
  registry.deregister(one.deregister("a") as Deregister, 0);
  assertEquals(registry.registerV1("api", "10.0.0.1", 80, 0), true);
});

Deno.test("Registry.register() refuses a whole of more pages than a node can have endpoints", () => {
  const registry = new Registry();
  const [page] = new NodeVoice(1, 1).whole([endpointOf("a")]) as Register[];
  const endless = { ...page!, whole: { page: 0, pages: 2 ** 40 } };
  assertEquals(registry.register(endless, 0), "full");
  assertEquals(listed(registry), []);
});

Deno.test("Registry.register() moves a replica to the node that says it last", () => {
  const registry = new Registry();
  const [one, two] = [new NodeVoice(1, 1), new NodeVoice(2, 1)];
  register(registry, one, [endpointOf("a"), endpointOf("b")]);
  register(registry, two, [endpointOf("a", "api", 9_000)]);
  assertEquals(registry.node(one.node)!.digest, digestOf([["b", 8_001]]));
  assertEquals(registry.node(two.node)!.digest, digestOf([["a", 9_000]]));
  assertEquals(registry.deregister(one.deregister("a") as Deregister, 0), "unknown");
  assertEquals(listed(registry), ["a", "b"]);
});

Deno.test("Registry.register() leaves the ids of v1 registrations alone", () => {
  const registry = new Registry();
  registry.registerV1("api", "10.0.0.1", 80, 0);
  register(registry, new NodeVoice(1, 1), [endpointOf("v1:api:10.0.0.1:80", "evil")]);
  assertEquals(registry.endpoints().map((endpoint) => endpoint.app), ["api"]);
});

Deno.test("Registry remembers removals within bounds, and ignores what is older than it knows", () => {
  const registry = new Registry();
  const voice = new NodeVoice(1, 1);
  const late = voice.register([endpointOf("a")]) as Register;
  for (let at = 0; at < NODE_GONE_REPLICAS * 3; at++) {
    registry.deregister(voice.deregister(`x${at}`) as Deregister, 0);
  }
  assertEquals(registry.node(voice.node)!.gone.size, NODE_GONE_REPLICAS);
  registry.register(late, 0);
  assertEquals(listed(registry), []);
  register(registry, voice, [endpointOf("a")]);
  assertEquals(listed(registry), ["a"]);
});

Deno.test("Registry without orders takes arrival for order", () => {
  const registry = new Registry();
  const { node, boot } = new NodeVoice(1, 1);
  const say = (request: string, replicas: string[], whole?: { page: number; pages: number }) =>
    registry.register(
      {
        k: "register",
        node,
        boot,
        request,
        endpoints: replicas.map((id) => endpointOf(id)),
        whole,
      },
      0,
    );
  say("1", ["a"]);
  registry.deregister({ k: "deregister", node, boot, replica: "a" }, 0);
  say("2", ["a", "b"]);
  assertEquals(listed(registry), ["a", "b"]);
  assertEquals(say("3", ["c"], { page: 0, pages: 2 }), "partial");
  assertEquals(say("3", ["d"], { page: 1, pages: 2 }), "applied");
  assertEquals(listed(registry), ["c", "d"]);
  assertEquals(say("3", ["c"], { page: 0, pages: 2 }), "applied", "a late copy of a page");
  assertEquals(say("4", [], { page: 0, pages: 0 }), "applied");
  assertEquals(listed(registry), []);
});

Deno.test("Registry.register() lets a later whole overtake one that never became complete", () => {
  const registry = new Registry();
  const voice = new NodeVoice(1, 1);
  const old = voice.whole([endpointOf("a"), endpointOf("b")], 1) as Register[];
  const young = voice.whole([endpointOf("c"), endpointOf("d")], 1) as Register[];
  registry.register(old[0]!, 0);
  registry.register(young[0]!, 0);
  registry.register(old[1]!, 0);
  assertEquals(registry.register(young[1]!, 0), "applied");
  assertEquals(listed(registry), ["c", "d"]);
  registry.register(old[0]!, 0);
  assertEquals(listed(registry), ["c", "d"]);
});

Deno.test("Registry.expire() takes each lease at its time and no other", () => {
  const registry = new Registry();
  const early = new NodeVoice(1, 1);
  const late = new NodeVoice(2, 1);
  registry.registerV1("api", "10.0.0.1", 80, 0);
  register(registry, early, [endpointOf("a")], 0);
  register(registry, late, [endpointOf("b"), endpointOf("c")], 1_000);
  assertEquals(registry.nextExpiryMs, LEASE_MS);
  assertEquals(registry.expire(LEASE_MS - 1), []);
  assertEquals(registry.expire(LEASE_MS), [{ node: early.node, endpoints: 1 }]);
  assertEquals(registry.expire(LEASE_MS + 1_000), [{ node: late.node, endpoints: 2 }]);
  assertEquals(listed(registry), ["v1:api:10.0.0.1:80"]);
  assertEquals(registry.nextExpiryMs, V1_LEASE_MS);
  registry.expire(V1_LEASE_MS);
  assertEquals([registry.size, registry.appCount, registry.nodeCount], [0, 0, 0]);
  assertEquals(registry.nextExpiryMs, Infinity);
});

Deno.test("Registry.next() goes on in turn while replicas come and go", () => {
  const registry = new Registry();
  const voice = new NodeVoice(1, 1);
  register(registry, voice, ["a", "b", "c"].map((id) => endpointOf(id)));
  const turn = () => registry.next("api")?.replica;
  assertEquals([turn(), turn()], ["a", "b"]);
  registry.deregister(voice.deregister("b") as Deregister, 0);
  const seen = new Set([turn(), turn()]);
  assertEquals(seen, new Set(["a", "c"]));
  registry.deregister(voice.deregister("a") as Deregister, 0);
  registry.deregister(voice.deregister("c") as Deregister, 0);
  assertEquals(turn(), undefined);
});

Deno.test("v1Replica() fits the watch stream's ids whatever the name's length", () => {
  assertEquals(v1Replica("api", "10.0.0.1", 80), "v1:api:10.0.0.1:80");
  const long = "n".repeat(63);
  const [one, two] = [v1Replica(long, "10.0.0.1", 80), v1Replica(long, "10.0.0.1", 81)];
  assertEquals([one.length, two.length, one === two], [64, 64, false]);
});
