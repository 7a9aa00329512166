import { assert, assertEquals } from "@std/assert";
import { realKem, TestWorld, toyKem } from "../live/seal_testing.ts";
import { SEAL_FIRSTS_FREE, SEAL_OVERHEAD_BYTES, SEAL_QUEUE } from "../limits.ts";
import { PROTOCOL } from "./pqik.ts";

const FIRST = 0xf8, SECOND = 0xf9, RETRY = 0xfa, DATA = 0xfb, STALE = 0xfc;

function texts(peer: { delivered: readonly { text: string }[] }): string[] {
  return peer.delivered.map(({ text }) => text);
}

/** A node that knows its conductor, and both at work. */
function pair(kem = toyKem) {
  const world = new TestWorld(7, kem);
  const conductor = world.peer("conductor");
  const node = world.peer("node").knows(conductor);
  return { world, conductor, node };
}

Deno.test("SealMachine carries texts both ways, with ML-KEM-768 itself", () => {
  const { world, conductor, node } = pair(realKem);
  node.send("beat", conductor.address);
  world.settle();
  assertEquals(texts(conductor), ["beat"]);
  const { from } = conductor.delivered[0]!;
  assertEquals(from.peer, node.peer);
  conductor.send("beat-ok", from);
  world.settle();
  assertEquals(texts(node), ["beat-ok"]);
  assertEquals(node.delivered[0]!.from.peer, conductor.peer);
  assertEquals(PROTOCOL, "Noise_pqIK_MLKEM768_AESGCM_SHA256");
});

Deno.test("SealMachine: no datagram but the first is larger than what it answers, and none shows its text", () => {
  const { world, conductor, node } = pair();
  const text = "app secret-app exec /bin/secret".repeat(10);
  node.send(text, conductor.address);
  world.settle();
  conductor.send(text, conductor.delivered[0]!.from);
  world.settle();
  const [first, second, ...data] = world.seen;
  assertEquals([first![0], second![0]], [FIRST, SECOND]);
  assert(second!.length <= first!.length && first!.length < 5_000);
  assert(data.length > 0 && data.every((each) => each[0] === DATA));
  assertEquals(data.at(-1)!.length, text.length + SEAL_OVERHEAD_BYTES);
  for (const each of world.seen) assert(!new TextDecoder().decode(each).includes("secret"));
});

Deno.test("SealMachine hears nobody who is not admitted, and says nothing to them", () => {
  const world = new TestWorld(8);
  const conductor = world.peer("conductor");
  const stranger = world.peer("node", { admitted: false }).knows(conductor);
  stranger.send("let me in", conductor.address);
  world.settle();
  world.pass(5_000);
  assertEquals([conductor.delivered.length, stranger.delivered.length], [0, 0]);
  assert(conductor.machine.counters.strangers > 0);
  assertEquals(world.seen.filter((each) => each[0] === SECOND).length, 0);
});

Deno.test("SealMachine ignores the handshake of one who knows nothing of the responder's key", () => {
  const world = new TestWorld(9);
  const conductor = world.peer("conductor");
  const other = world.peer("tower");
  const node = world.peer("node");
  const { address, peer } = conductor;
  node.step({ on: "contact", address, staticKey: other.staticKey, peer });
  node.send("hello", address);
  world.settle();
  assertEquals(world.seen.map((each) => each[0]), [FIRST]);
  assertEquals(conductor.machine.counters.forged, 1);
});

Deno.test("SealMachine completes a handshake whose datagrams are lost, repeated and late", () => {
  const { world, conductor, node } = pair();
  node.send("beat", conductor.address);
  world.settle(() => false); // the first is lost
  world.pass(150, ({ bytes }) => bytes[0] !== SECOND); // the answer is lost
  world.pass(1_000);
  assertEquals(texts(conductor), ["beat"]);
  const firsts = world.seen.filter((each) => each[0] === FIRST);
  for (const bytes of firsts) world.hand({ bytes, from: node.address, to: conductor.address });
  world.settle();
  node.send("again", conductor.address);
  world.settle();
  assertEquals(texts(conductor), ["beat", "again"]);
});

Deno.test("SealMachine delivers a repeated datagram once, and a late one still", () => {
  const { world, conductor, node } = pair();
  node.send("0", conductor.address);
  world.settle();
  for (let each = 1; each <= 5; each++) node.send(String(each), conductor.address);
  const flying = world.flying.splice(0);
  for (const each of [...flying].reverse()) world.hand(each);
  for (const each of flying) world.hand(each);
  assertEquals(texts(conductor), ["0", "5", "4", "3", "2", "1"]);
  const { forged, replayed } = conductor.machine.counters;
  assertEquals([forged, replayed], [0, 5]);
});

Deno.test("SealMachine drops a datagram with any bit turned over", () => {
  const { world, conductor, node } = pair();
  node.send("0", conductor.address);
  world.settle();
  node.send("run", conductor.address);
  const { bytes } = world.flying.splice(0)[0]!;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = bytes.slice();
    altered[bit >> 3]! ^= 1 << (bit & 7);
    world.hand({ bytes: altered, from: node.address, to: conductor.address });
  }
  world.settle();
  assertEquals(texts(conductor), ["0"]);
  world.hand({ bytes, from: node.address, to: conductor.address });
  assertEquals(texts(conductor), ["0", "run"]);
});

Deno.test("SealMachine recovers at once when the side that was greeted starts anew", () => {
  const { world, conductor, node } = pair();
  node.send("1", conductor.address);
  world.settle();
  world.pass(1_000);
  conductor.start();
  node.send("2", conductor.address); // lost: nobody knows this session
  world.settle();
  assert(world.seen.some((each) => each[0] === STALE));
  node.send("3", conductor.address);
  world.settle();
  assertEquals(texts(conductor), ["1", "3"]);
});

Deno.test("SealMachine recovers by itself when the word that a session is unknown is lost", () => {
  const { world, conductor, node } = pair();
  node.send("1", conductor.address);
  world.settle();
  conductor.start();
  let count = 0;
  for (let each = 0; each < 8; each++) {
    node.send(`n${count++}`, conductor.address);
    world.pass(250, ({ bytes }) => bytes[0] !== STALE);
  }
  const heard = texts(conductor);
  assertEquals(heard[0], "1");
  assert(heard.includes("n6") && heard.includes("n7"), heard.join());
});

Deno.test("SealMachine takes a lost datagram now and then for no loss of the session", () => {
  const { world, conductor, node } = pair();
  node.send("0", conductor.address);
  world.settle();
  const firsts = () => world.seen.filter((each) => each[0] === FIRST).length;
  const say = (isHeard: boolean) => {
    world.pass(6_250);
    node.send("beat", conductor.address);
    world.settle(() => isHeard);
    if (isHeard) conductor.send("beat-ok", conductor.delivered.at(-1)!.from);
    world.settle();
  };
  for (const isHeard of [true, false, true, false, false, true]) say(isHeard);
  assertEquals(firsts(), 1, "the session is kept");
  for (const isHeard of [false, false, false, false]) say(isHeard);
  world.pass(1_000);
  assertEquals(firsts(), 2, "three in a row are more than chance");
});

Deno.test("SealMachine recovers when the side that greets starts anew, also with a clock set back", () => {
  const { world, conductor, node } = pair();
  node.send("1", conductor.address);
  world.settle();
  for (const skewMs of [-1_000, -3_600_000, 3_600_000]) {
    node.start();
    node.knows(conductor).skewMs = skewMs;
    node.send(`at ${skewMs}`, conductor.address);
    world.settle();
    world.pass(300);
    assertEquals(conductor.delivered.at(-1)!.text, `at ${skewMs}`);
  }
  assert(world.seen.some((each) => each[0] === RETRY));
});

Deno.test("SealMachine: a first message that is repeated later sets nothing up", () => {
  const { world, conductor, node } = pair();
  for (const skewMs of [0, 100, -90_000, 200, -80_000]) {
    // The wrong clocks come in by a token, the others without.
    node.start();
    node.knows(conductor).skewMs = skewMs;
    node.send("hello", conductor.address);
    world.settle();
    world.pass(500);
  }
  assertEquals(conductor.delivered.length, 5);
  const { size } = conductor.machine;
  const firsts = world.seen.filter((each) => each[0] === FIRST);
  assert(firsts.length >= 5);
  for (const bytes of firsts) world.hand({ bytes, from: node.address, to: conductor.address });
  world.flying.length = 0;
  assertEquals(conductor.machine.size, size);
});

Deno.test("SealMachine: two that greet each other at one moment understand each other", () => {
  const world = new TestWorld(10);
  const [a, b] = [world.peer("conductor"), world.peer("conductor")];
  a.knows(b);
  b.knows(a);
  a.send("from a", b.address);
  b.send("from b", a.address);
  world.settle();
  assertEquals([texts(a), texts(b)], [["from b"], ["from a"]]);
  for (let each = 0; each < 5; each++) {
    a.send(`a${each}`, b.address);
    b.send(`b${each}`, a.address);
    world.settle();
  }
  assertEquals([a.delivered.length, b.delivered.length], [6, 6]);
});

for (
  const [what, limits, rounds] of [
    ["time", { rekeyMs: 1_000, rekeyDatagrams: 2 ** 32 }, 40],
    ["volume", { rekeyMs: 600_000, rekeyDatagrams: 10 }, 60],
  ] as const
) {
  Deno.test(`SealMachine changes keys by ${what}, and nothing is lost by it`, () => {
    const world = new TestWorld(11, toyKem, limits);
    const conductor = world.peer("conductor");
    const node = world.peer("node").knows(conductor);
    for (let each = 0; each < rounds; each++) {
      node.send(String(each), conductor.address);
      world.settle();
      conductor.send(String(each), conductor.delivered.at(-1)!.from);
      world.settle();
      world.pass(100);
    }
    const wanted = Array.from({ length: rounds }, (_, at) => String(at));
    assertEquals([texts(conductor), texts(node)], [wanted, wanted]);
    assert(node.machine.counters.met >= 4, String(node.machine.counters.met));
    assert(conductor.machine.size <= 4);
  });
}

Deno.test("SealMachine holds a bounded queue for a peer that does not answer", () => {
  const { world, conductor, node } = pair();
  for (let each = 0; each < SEAL_QUEUE + 10; each++) node.send(String(each), conductor.address);
  world.pass(30_000, () => false);
  world.pass(3_000);
  assertEquals(texts(conductor), Array.from({ length: SEAL_QUEUE }, (_, at) => String(at + 10)));
});

Deno.test("SealMachine sends nothing to an address at which it knows nobody", () => {
  const { world, conductor } = pair();
  conductor.send("run", { hostname: "10.0.0.99", port: 1 });
  assertEquals([world.flying.length, conductor.machine.counters.unsent], [0, 1]);
});

Deno.test("SealMachine keeps a flood of first messages out, and those who prove their address in", () => {
  const { world, conductor, node } = pair();
  const flooder = world.peer("node", { admitted: false }).knows(conductor);
  flooder.send("x", conductor.address);
  const { bytes } = world.flying.splice(0)[0]!;
  // Spoofed from everywhere, each a little different: they cost no more than a retry each.
  let worked = 0;
  let replies = 0;
  for (let each = 0; each < 5_000; each++) {
    const from = { hostname: `10.9.${each >> 8}.${each & 255}`, port: 1 };
    const { length } = conductor.machine.step(
      { on: "datagram", bytes, from },
      { monoMs: world.nowMs, wallMs: 1e12 },
    ).filter((effect) => {
      if (effect.do === "transmit") replies += effect.bytes.length;
      return effect.do === "kem";
    });
    worked += length;
  }
  assert(worked <= SEAL_FIRSTS_FREE, String(worked));
  assert(replies < 5_000 * bytes.length / 10);
  node.send("beat", conductor.address);
  world.settle();
  world.pass(1_500);
  assertEquals(texts(conductor), ["beat"]);
});

Deno.test("SealMachine forgets an identity that is no longer admitted", () => {
  const { world, conductor, node } = pair();
  node.send("1", conductor.address);
  world.settle();
  world.admitted.delete(node.staticKey.toHex());
  conductor.step({ on: "forget", identity: node.peer.identity });
  for (let each = 0; each < 10; each++) {
    node.send("2", conductor.address);
    world.pass(500);
  }
  assertEquals(texts(conductor), ["1"]);
});

Deno.test("SealMachine: an admitted peer that forges its address does not draw another's datagrams", () => {
  const { world, conductor, node } = pair();
  const thief = world.peer("node").knows(conductor);
  for (const peer of [node, thief]) peer.send("beat", conductor.address);
  world.settle();
  const { from } = conductor.delivered.find((each) => each.from.peer === node.peer)!;
  // The thief speaks from the node's address.
  thief.send("beat", conductor.address);
  for (const each of world.flying.splice(0)) world.hand({ ...each, from: node.address });
  conductor.send("run", from);
  world.settle();
  assertEquals([texts(node), texts(thief)], [["run"], []]);
});
