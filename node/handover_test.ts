// A node, two towers and an ingress, as they are, in virtual time: an ingress that leaves one tower in
// the middle of a drain is waited for by the other.

import { assert, assertEquals } from "@std/assert";
import type { Address } from "../core/address.ts";
import { Dial, type DialEffect, type DialEvent, ingressDial } from "../core/dial.ts";
import { INGRESS_ALIVE_MS } from "../core/limits.ts";
import type { Endpoint, MeshMessage } from "../core/mesh.ts";
import { createPrng } from "../core/prng.ts";
import type { Replica } from "../ingress/balance.ts";
import { type IngressEvent, IngressMachine } from "../ingress/machine.ts";
import { Rig } from "../tower/testing.ts";
import { Towers } from "./towers.ts";

const STEP_MS = 10;
const SELF = { node: "a".repeat(32), boot: "b".repeat(16), port: 7775 };
const WHERE: readonly Address[] = [
  { hostname: "10.0.0.1", port: 7772 },
  { hostname: "10.0.0.2", port: 7772 },
];
const WEB: Endpoint = {
  replica: "web.1",
  app: "web",
  generation: 1,
  node: "node-1",
  host: "10.0.0.9",
  port: 20_000,
};

class Cluster {
  nowMs = 0;
  readonly rigs = [1, 2].map((number) => new Rig({ startMs: 0, boot: `${number}`.repeat(16) }));
  /** Stands still; its streams stand. */
  readonly frozen = new Set<Rig>();
  /** Not reached by the ingress; its streams have broken. */
  readonly cut = new Set<Rig>();
  readonly towers = new Towers(SELF, WHERE);
  readonly ingress = new IngressMachine({ name: "ingress" }, this.#now);
  /** When the node was told that nobody sends to the replica. */
  drainedMs: number | null = null;
  readonly #dial = new Dial(ingressDial(2), createPrng(1));
  #stream: { readonly rig: Rig; readonly watcher: number; readonly call: number } | null = null;

  constructor() {
    this.#call({ on: "start" });
    this.towers.register(WEB, 0);
    this.pass(5_000);
  }

  get #now() {
    return { monoMs: this.nowMs, wallMs: this.nowMs };
  }

  pass(forMs: number): void {
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs;) {
      this.nowMs += STEP_MS;
      this.#passTowers();
      this.#passIngress();
      const [drained] = this.towers.takeDrained(this.nowMs);
      if (drained) this.drainedMs ??= this.nowMs;
    }
  }

  /** The ingress sends a request there, which lasts until `end`. */
  request(): Replica {
    const [replica] = [...this.ingress.allReplicas()];
    assert(replica);
    replica.outstanding++;
    return replica;
  }

  end(replica: Replica): void {
    replica.outstanding--;
    for (const effect of this.ingress.idle(replica, this.#now)) {
      if (effect.k === "send") this.#say(effect.message);
    }
  }

  /** Which of the towers the ingress watches. */
  get watched(): number {
    return this.rigs.indexOf(this.#stream!.rig);
  }

  breakStream(): void {
    const { rig, watcher, call } = this.#stream!;
    this.#stream = null;
    if (!this.frozen.has(rig)) rig.hangUp(watcher);
    this.#call({ on: "closed", call });
  }

  #passTowers(): void {
    for (const rig of this.rigs) if (!this.frozen.has(rig)) rig.advance(STEP_MS);
    for (const { to, message } of this.towers.tick(this.nowMs)) {
      const rig = this.rigs[WHERE.indexOf(to)]!;
      if (!this.frozen.has(rig)) this.#hear(rig, rig.mesh(message));
    }
    for (const rig of this.rigs) this.#hear(rig, rig.pushed());
  }

  #hear(rig: Rig, messages: readonly MeshMessage[]): void {
    const from = WHERE[this.rigs.indexOf(rig)]!;
    for (const message of messages) {
      if (message.k === "lease-ok") this.towers.onLeaseOk(message, from, this.nowMs);
      if (message.k === "register-ok") this.towers.onRegisterOk(message, from, this.nowMs);
      if (message.k === "deregister-ok") this.towers.onDeregisterOk(message, from, this.nowMs);
    }
  }

  #passIngress(): void {
    if (this.#stream && !this.frozen.has(this.#stream.rig)) {
      const { rig, watcher, call } = this.#stream;
      for (const message of rig.heard(watcher)) {
        this.#call({ on: "heard", call, alive: message.k === "alive" });
        this.#step({ k: "message", message });
      }
    }
    if (this.nowMs >= this.#dial.dueMs) this.#call({ on: "tick" });
    if (this.nowMs % (INGRESS_ALIVE_MS / 2) === 0) this.#step({ k: "tick" });
  }

  #call(event: DialEvent): void {
    for (const effect of this.#dial.step(event, this.nowMs)) this.#perform(effect);
  }

  #perform(effect: DialEffect): void {
    if (effect.do === "connected") this.#step({ k: "connected" });
    if (effect.do === "lost" && effect.stood) this.#step({ k: "lost" });
    if (effect.do !== "dial") return;
    const rig = this.rigs[effect.tower]!;
    // One that stands still does not even say that it takes the stream.
    if (this.frozen.has(rig)) return;
    if (this.cut.has(rig)) return this.#call({ on: "closed", call: effect.call });
    this.#stream = { rig, watcher: rig.connect(), call: effect.call };
    this.#call({ on: "opened", call: effect.call });
  }

  #step(event: IngressEvent): void {
    for (const effect of this.ingress.step(event, this.#now)) {
      if (effect.k === "send") this.#say(effect.message);
    }
  }

  #say(message: Parameters<Rig["say"]>[1]): void {
    const { rig, watcher } = this.#stream!;
    if (!this.frozen.has(rig)) rig.say(watcher, message);
  }
}

for (
  const [fault, doIt] of [
    ["stands still", (cluster: Cluster, rig: Rig) => cluster.frozen.add(rig)],
    ["is cut off from it", (cluster: Cluster, rig: Rig) => {
      cluster.cut.add(rig);
      cluster.breakStream();
    }],
  ] as const
) {
  Deno.test(`a request is waited for though its ingress leaves a tower that ${fault} during the drain`, () => {
    const cluster = new Cluster();
    assertEquals(cluster.watched, 0);
    const request = cluster.request();
    cluster.towers.deregister("web.1", true, cluster.nowMs + 60_000, cluster.nowMs);
    cluster.pass(1_000);
    assertEquals(cluster.drainedMs, null);
    doIt(cluster, cluster.rigs[0]!);
    cluster.pass(10_000);
    assertEquals(cluster.watched, 1);
    assertEquals(cluster.drainedMs, null);
    const endedMs = cluster.nowMs;
    cluster.end(request);
    cluster.pass(1_000);
    assert(
      cluster.drainedMs !== null && cluster.drainedMs - endedMs <= 600,
      `${cluster.drainedMs}`,
    );
  });
}
