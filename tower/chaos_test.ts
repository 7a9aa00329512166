// Nodes, a network that loses, repeats and reorders, and a tower that is killed: the registry ends
// up as the nodes are, and on the way never lists what a node was told is gone.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BOOT_DOUBT_MS, LEASE_RENEW_MS } from "../core/limits.ts";
import { decodeMesh, digestOf, encodeMesh, type Endpoint, type MeshMessage } from "../core/mesh.ts";
import { createPrng, type Prng } from "../core/prng.ts";
import { parseShaped } from "../core/shape.ts";
import { watchShape } from "../core/mesh.ts";
import { type TowerEffect, TowerMachine } from "./machine.ts";
import type { Registry } from "./registry.ts";
import { bootId, NodeVoice } from "./testing.ts";

const STEP_MS = 50;
const RUNS = 50;
const START_MS = 10_000;

/** A node that follows the contract of core/mesh.ts and nothing more. */
class SimulatedNode {
  readonly held = new Map<string, Endpoint>();
  /** Said and not answered yet, by a key that its answer repeats. */
  readonly #open = new Map<string, { messages: MeshMessage[]; nextMs: number; waitMs: number }>();
  /** Replicas that the tower called drained and that were not registered since. */
  readonly drained = new Set<string>();
  #voice: NodeVoice;
  #boots = 1;
  #renewMs = 0;

  constructor(readonly number: number, readonly send: (message: MeshMessage) => void) {
    this.#voice = new NodeVoice(number, this.#bootNumber());
  }

  #bootNumber(): number {
    return this.number * 1_000 + this.#boots;
  }

  add(endpoint: Endpoint, nowMs: number): void {
    this.held.set(endpoint.replica, endpoint);
    this.drained.delete(endpoint.replica);
    this.#open.delete(`-${endpoint.replica}`);
    const message = this.#voice.register([endpoint]);
    this.#begin(message.k === "register" ? message.request : "", [message], nowMs);
  }

  remove(replica: string, nowMs: number): void {
    this.held.delete(replica);
    this.#begin(`-${replica}`, [this.#voice.deregister(replica)], nowMs);
  }

  /** A new daemon adopts what runs; what it had been asking is forgotten. */
  restart(nowMs: number): void {
    this.#boots++;
    this.#voice = new NodeVoice(this.number, this.#bootNumber());
    this.#open.clear();
    this.#sayAll(nowMs);
  }

  tick(nowMs: number): void {
    for (const each of this.#open.values()) {
      if (each.nextMs > nowMs) continue;
      each.messages.forEach(this.send);
      each.waitMs = Math.min(2_000, each.waitMs * 2);
      each.nextMs = nowMs + each.waitMs;
    }
    if (this.#renewMs > nowMs) return;
    this.#renewMs = nowMs + LEASE_RENEW_MS;
    this.send(this.#voice.lease(this.held.size, this.#digest()));
  }

  receive(message: MeshMessage, nowMs: number): void {
    if (message.k === "register-ok") this.#open.delete(message.request);
    if (message.k === "deregister-ok" && message.drained) {
      // An answer to an earlier removal says nothing of this one.
      const [asked] = this.#open.get(`-${message.replica}`)?.messages ?? [];
      if (asked?.k !== "deregister" || asked.order !== message.order) return;
      this.#open.delete(`-${message.replica}`);
      this.drained.add(message.replica);
    }
    if (message.k === "lease-ok" && message.digest !== this.#digest() && this.#open.size === 0) {
      this.#sayAll(nowMs);
    }
  }

  #sayAll(nowMs: number): void {
    const messages = this.#voice.whole([...this.held.values()], 3);
    this.#begin(messages[0]!.k === "register" ? messages[0]!.request : "", messages, nowMs);
  }

  #begin(key: string, messages: MeshMessage[], nowMs: number): void {
    messages.forEach(this.send);
    this.#open.set(key, { messages, nextMs: nowMs + 100, waitMs: 100 });
  }

  #digest(): number {
    return digestOf([...this.held.values()].map(({ replica, port }) => [replica, port]));
  }
}

class World {
  nowMs = START_MS;
  readonly #prng: Prng;
  readonly #nodes: SimulatedNode[];
  #machine!: TowerMachine;
  #towers = 0;
  #flying: { readonly atMs: number; readonly deliver: () => void }[] = [];
  /** What a watcher that never loses its stream believes. */
  readonly #table = new Map<string, Endpoint>();
  #ids = 0;
  isCalm = false;
  delivered = 0;

  /** `towersDie`: the tower is killed now and then, and starts anew with nothing. */
  constructor(seed: number, readonly towersDie: boolean) {
    this.#prng = createPrng(seed);
    this.#nodes = [1, 2, 3].map((number) =>
      new SimulatedNode(number, (message) =>
        this.#fly(() => {
          const from = { hostname: `127.0.0.1${number}`, port: 7_775 };
          this.#step({ k: "datagram", text: encodeMesh(message), from });
        }))
    );
    this.#startTower();
  }

  step(): void {
    this.nowMs += STEP_MS;
    if (!this.isCalm) this.#disturb();
    for (const node of this.#nodes) node.tick(this.nowMs);
    this.#step({ k: "tick" });
    const due = this.#flying.filter((each) => each.atMs <= this.nowMs);
    this.#flying = this.#flying.filter((each) => each.atMs > this.nowMs);
    for (const { deliver } of due.sort((left, right) => left.atMs - right.atMs)) deliver();
    this.check();
  }

  check(): void {
    const { registry } = this.#machine;
    checkIndexes(registry);
    assertEquals([...this.#table.keys()].sort(), listed(registry), "the watcher's table");
    // A tower that forgot everything may take a late copy for news, until the next lease.
    if (this.towersDie) return;
    for (const node of this.#nodes) {
      for (const replica of node.drained) {
        assert(registry.entry(replica) === undefined, `${replica} is drained, and listed`);
      }
    }
  }

  checkSettled(): void {
    const held = this.#nodes.flatMap((node) => [...node.held.values()]);
    const byId = (left: Endpoint, right: Endpoint) => left.replica < right.replica ? -1 : 1;
    assertEquals(this.#machine.registry.endpoints().sort(byId), held.sort(byId));
    assertEquals([...this.#table.values()].sort(byId), held);
    assert(this.#machine.watch.isComplete);
  }

  #disturb(): void {
    const dice = this.#prng.below(100);
    const node = this.#nodes[this.#prng.below(this.#nodes.length)]!;
    const held = [...node.held.keys()];
    const some = held[this.#prng.below(held.length)];
    if (dice < 20) this.#add(node, `r${++this.#ids}`);
    else if (dice < 35 && some !== undefined) node.remove(some, this.nowMs);
    else if (dice < 40 && some !== undefined) {
      // The program crashes and comes back under the same id on another port.
      node.remove(some, this.nowMs);
      this.#add(node, some);
    } else if (dice < 42) {
      if (this.towersDie || this.nowMs > START_MS + BOOT_DOUBT_MS) node.restart(this.nowMs);
    } else if (dice === 42 && this.towersDie) this.#startTower();
  }

  #add(node: SimulatedNode, replica: string): void {
    const port = 1_000 + this.#prng.below(60_000);
    node.add(
      {
        replica,
        app: `app-${this.#prng.below(3)}`,
        generation: 1,
        node: "n",
        host: "127.0.0.1",
        port,
      },
      this.nowMs,
    );
  }

  /** Something on its way: lost, repeated, late. */
  #fly(deliver: () => void): void {
    const copies = this.isCalm ? 1 : [0, 1, 1, 1, 1, 1, 1, 2, 2, 3][this.#prng.below(10)]!;
    for (let copy = 0; copy < copies; copy++) {
      const isLate = !this.isCalm && this.#prng.below(10) === 0;
      const delayMs = isLate ? this.#prng.below(3_000) : this.#prng.below(120);
      this.#flying.push({ atMs: this.nowMs + delayMs, deliver });
    }
  }

  #startTower(): void {
    const now = { monoMs: this.nowMs, wallMs: this.nowMs };
    this.#machine = new TowerMachine({ boot: bootId(++this.#towers) }, now);
    this.#table.clear();
    this.#step({ k: "start" });
    this.#step({ k: "watcher-connected", watcher: 1, host: "127.0.0.1", app: null });
    const text = JSON.stringify({ k: "hello", role: "client", name: "watcher" });
    this.#step({ k: "watcher-message", watcher: 1, text });
  }

  #step(event: Parameters<TowerMachine["step"]>[0]): void {
    const effects = this.#machine.step(event, { monoMs: this.nowMs, wallMs: this.nowMs });
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: TowerEffect): void {
    if (effect.k === "send") this.#watch(effect.text);
    if (effect.k !== "datagram") return;
    const message = decodeMesh(effect.text)!;
    assert("node" in message);
    const node = this.#nodes.find((each) => each.number === parseInt(message.node as string, 16))!;
    this.#fly(() => {
      this.delivered++;
      node.receive(message, this.nowMs);
    });
  }

  #watch(text: string): void {
    const message = parseShaped(watchShape, text)!;
    switch (message.k) {
      case "snapshot":
      case "complete":
        this.#table.clear();
        for (const endpoint of message.endpoints) this.#table.set(endpoint.replica, endpoint);
        return;
      case "delta":
        for (const endpoint of message.up) this.#table.set(endpoint.replica, endpoint);
        for (const replica of message.down) this.#table.delete(replica);
        return;
      case "routes":
      case "figures-please":
      case "alive":
      case "figures":
      case "wake":
        return;
      default:
        message satisfies never;
    }
  }
}

function listed(registry: Registry): string[] {
  return registry.endpoints().map((endpoint) => endpoint.replica).sort();
}

/** Every index says the same as every other. */
function checkIndexes(registry: Registry): void {
  const apps = new Set<string>();
  let ofNodes = 0;
  const nodes = new Set<string>();
  for (const entry of registry.entries()) {
    const { endpoint, lease } = entry;
    apps.add(endpoint.app);
    assert(registry.ofApp(endpoint.app)[entry.slot] === entry, "slot within its app");
    assert(lease.slot >= 0, "every lease can lapse");
    if (lease.kind === "node") nodes.add(lease.node);
  }
  for (const id of nodes) {
    const lease = registry.node(id)!;
    ofNodes += lease.entries.size;
    const pairs = [...lease.entries.values()].map(({ endpoint }) =>
      [endpoint.replica, endpoint.port] as const
    );
    assertEquals(lease.digest, digestOf(pairs), "the digest kept up with each change");
  }
  assertEquals(ofNodes, registry.size);
  assertEquals(apps.size, registry.appCount);
}

for (const towersDie of [false, true]) {
  const what = towersDie ? "though towers die" : "and never lists the drained";
  Deno.test(`TowerMachine ends up with what the nodes hold, ${what}`, () => {
    let delivered = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = new World(seed, towersDie);
        for (let at = 0; at < 500; at++) world.step();
        world.isCalm = true;
        for (let at = 0; at < 300; at++) world.step();
        world.checkSettled();
        delivered += world.delivered;
      }),
      { numRuns: RUNS },
    );
    assert(delivered > RUNS * 500, `only ${delivered} answers arrived: the world stood still`);
  });
}
