// The network is the attacker: it reads, drops, alters, repeats, reorders, redirects and injects
// whatever it likes, and may be one of the admitted peers besides.

import { assert } from "@std/assert";
import { createPrng } from "../prng.ts";
import { type Flying, type TestPeer, TestWorld, toyKem } from "../live/seal_testing.ts";

const STEPS = 400;

/** One random history; throws where something was delivered that must not be, or nothing in the end. */
function attack(seed: number): void {
  const prng = createPrng(seed);
  const world = new TestWorld(seed + 1, toyKem, { rekeyMs: 3_000, rekeyDatagrams: 60 });
  const conductor = world.peer("conductor");
  const tower = world.peer("tower");
  const nodes = [world.peer("node"), world.peer("node")];
  const second = world.peer("conductor").knows(conductor);
  conductor.knows(second);
  for (const node of nodes) node.knows(conductor).knows(tower);
  const peers = [conductor, tower, ...nodes, second];
  /** What each peer has said to each, by the text's number. */
  const said = new Map<string, { readonly from: TestPeer; readonly to: TestPeer }>();
  const heard = new Map<TestPeer, Set<string>>();
  let count = 0;
  const talk = (from: TestPeer, to: TestPeer) => {
    const text = `text ${seed} ${count++}`;
    said.set(text, { from, to });
    // As the daemons do it: an answer goes to where the peer was heard, by its name.
    const last = from.delivered.findLast((each) => each.from.peer === to.peer);
    from.send(text, last?.from ?? to.address);
  };
  const check = () => {
    for (const peer of peers) {
      const known = heard.get(peer) ?? new Set();
      heard.set(peer, known);
      for (const { text, from } of peer.delivered.splice(0)) {
        const source = said.get(text);
        assert(source, `seed ${seed}: ${peer.peer.name} was delivered what nobody said: ${text}`);
        assert(source.to === peer, `seed ${seed}: ${text} was for ${source.to.peer.name}`);
        assert(source.from.peer === from.peer, `seed ${seed}: ${text} in another's name`);
        assert(!known.has(text), `seed ${seed}: ${text} was delivered twice`);
        known.add(text);
      }
    }
  };
  const routes: readonly (readonly [TestPeer, TestPeer])[] = [
    ...nodes.flatMap((node) =>
      [[node, conductor], [conductor, node], [node, tower], [tower, node]] as const
    ),
    [conductor, second],
    [second, conductor],
  ];
  const store: Flying[] = [];
  const pick = <T>(of: readonly T[]): T => of[prng.below(of.length)]!;
  const hand = (flying: Flying) => {
    world.hand(flying);
    check();
  };
  const mischief = (sent: Flying) => {
    // The sender may keep what it sent, to send it again.
    const flying = { ...sent, bytes: sent.bytes.slice() };
    store.push({ ...sent, bytes: sent.bytes.slice() });
    if (store.length > 200) store.shift();
    switch (prng.below(10)) {
      case 0: // lost
        return;
      case 1: // altered
        flying.bytes[prng.below(flying.bytes.length)]! ^= 1 << prng.below(8);
        return hand(flying);
      case 2: // cut short
        return hand({
          ...flying,
          bytes: flying.bytes.subarray(0, prng.below(flying.bytes.length)),
        });
      case 3: // late
        return void world.flying.push(flying);
      case 4: // to another, or from another
        return hand({ ...flying, to: pick(peers).address });
      case 5:
        return hand({ ...flying, from: pick(peers).address });
      case 6: // something of before
        hand(pick(store));
        return hand(flying);
      case 7: // spliced
        hand({ ...flying, bytes: splice(flying.bytes, pick(store).bytes, prng.below(40)) });
        return hand(flying);
      case 8:
        hand(flying);
        return hand(flying);
      default:
        return hand(flying);
    }
  };
  for (let step = 0; step < STEPS; step++) {
    const choice = prng.below(20);
    if (choice < 10) talk(...pick(routes));
    else if (choice === 10 && prng.below(4) === 0) restart(pick(peers), peers);
    else if (choice === 11) world.pass(prng.below(2_000), (flying) => (mischief(flying), false));
    else if (choice === 12) {
      const bytes = world.random(prng.below(100));
      if (bytes.length > 0) bytes[0] = 0xf8 + prng.below(5);
      hand({ bytes, from: pick(peers).address, to: pick(peers).address });
    } else {
      world.nowMs += prng.below(50);
      for (let each = 0; each < 3 && world.flying.length > 0; each++) {
        mischief(world.flying.splice(prng.below(world.flying.length), 1)[0]!);
      }
    }
    check();
  }
  // The attacker has gone: before long everybody is heard by everybody again.
  world.pass(6_000);
  check();
  for (const [from, to] of routes.filter(([from]) => from.peer.role === "node")) {
    for (let each = 0; each < 8; each++) {
      talk(from, to);
      world.pass(250);
    }
    const text = `text ${seed} ${count - 1}`;
    check();
    assert(heard.get(to)!.has(text), `seed ${seed}: ${to.peer.name} is deaf to ${from.peer.name}`);
    talk(to, from);
    world.settle();
  }
  check();
  for (const bytes of world.seen) {
    assert(!new TextDecoder().decode(bytes).includes("text "), `seed ${seed}: a text was readable`);
  }
}

function splice(one: Uint8Array, other: Uint8Array, at: number): Uint8Array {
  const mixed = one.slice();
  if (at < mixed.length) mixed.set(other.subarray(at, mixed.length), at);
  return mixed;
}

/** A daemon starts anew: it knows whom it is told of, and nothing else. */
function restart(peer: TestPeer, peers: readonly TestPeer[]): void {
  peer.start();
  const contacts: Readonly<Record<string, readonly string[]>> = {
    node: ["conductor-1", "tower-2"],
    conductor: ["conductor-1", "conductor-5"],
  };
  for (const other of peers) {
    const known = contacts[peer.peer.role]?.includes(other.peer.name);
    if (other !== peer && known) peer.knows(other);
  }
}

Deno.test("whatever the network does, each text is heard once, by whom it is for, in its sayer's name", () => {
  const from = Number(Deno.env.get("SEAL_SEED") ?? 1);
  const seeds = Number(Deno.env.get("SEAL_SEEDS") ?? 12);
  for (let seed = from; seed < from + seeds; seed++) attack(seed);
});
