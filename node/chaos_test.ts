// The node's machine between a conductor, a tower and programs that do everything they may: messages
// are lost, repeated, delayed and reordered, programs die, the daemon dies and is started again.
// Whatever happened, a replica never runs twice, and afterwards everything becomes as it should.

import { assert, assertEquals } from "@std/assert";
import {
  decodeMesh,
  digestOf,
  type Mesh,
  type MeshMessage,
  type ReplicaStatus,
} from "../core/mesh.ts";
import { createPrng, type Prng } from "../core/prng.ts";
import { FakeWorld, makeRecord, NODE } from "./fake_world.ts";

const APPS = [
  ["web", "  port 8001\n  drain 2s\n  health {\n    check GET /health 200\n    interval 1s\n  }"],
  ["plain", "  grace 500ms"],
  ["once", "  restart never"],
] as const;

/** The conductor and the tower, as far as they matter to a node. */
class Peers {
  readonly wanted = new Map<string, number>();
  readonly leaving = new Set<string>();
  readonly known = new Map<string, ReplicaStatus>();
  readonly answered = new Set<string>();
  readonly listed = new Map<string, { readonly port: number; readonly order: number }>();
  readonly gone = new Map<string, number>();
  boot = "";
  drained = true;
  #beat = 0;
  #whole: { request: string; pages: Map<number, Mesh<"register">> } | null = null;
  #wholeOrder = 0;
  #report: { request: string; pages: Map<number, Mesh<"report">> } | null = null;
  #requests = 0;

  /** Takes in what the node said; the answers come back. */
  hear(message: MeshMessage): MeshMessage[] {
    switch (message.k) {
      case "beat":
        return this.#hearBeat(message);
      case "status":
        if (message.boot !== this.boot) return [];
        this.#learn(message.status);
        return [{
          k: "status-ok",
          node: NODE,
          replica: message.status.replica,
          version: message.status.version,
        }];
      case "report":
        this.#hearReport(message);
        return [];
      case "run-ok":
      case "stop-ok":
        if (message.boot === this.boot) this.answered.add(`${message.k} ${message.replica}`);
        return [];
      case "run-refused":
        // Its id is used up: another would be placed.
        if (message.boot === this.boot && this.wanted.delete(message.replica)) {
          this.leaving.add(message.replica);
        }
        return [];
      case "lease":
        return [{
          k: "lease-ok",
          tower: "d".repeat(16),
          node: NODE,
          digest: digestOf([...this.listed].map(([id, { port }]) => [id, port])),
        }];
      case "register":
        return this.#hearRegister(message);
      case "deregister": {
        const order = message.order!;
        if ((this.listed.get(message.replica)?.order ?? 0) <= order) {
          this.listed.delete(message.replica);
        }
        this.gone.set(message.replica, Math.max(order, this.gone.get(message.replica) ?? 0));
        return [{
          k: "deregister-ok",
          tower: "d".repeat(16),
          node: NODE,
          replica: message.replica,
          drained: this.drained,
          order,
        }];
      }
      default:
        throw new Error(`a node never says ${message.k}`);
    }
  }

  #hearBeat(beat: Mesh<"beat">): MeshMessage[] {
    if (beat.boot !== this.boot) {
      if (beat.boot < this.boot) return [];
      this.boot = beat.boot;
      this.#beat = 0;
      this.known.clear();
      this.answered.clear();
    }
    if (beat.beat <= this.#beat) return [];
    this.#beat = beat.beat;
    const digest = digestOf([...this.known.values()].map((each) => [each.replica, each.version]));
    const differs = digest !== beat.digest || beat.replicas !== this.known.size;
    if (differs) this.#report = { request: `r${++this.#requests}`, pages: new Map() };
    return [{
      k: "beat-ok",
      conductor: "c".repeat(16),
      node: NODE,
      beat: beat.beat,
      everyMs: 250,
      ...(differs ? { reportPlease: this.#report!.request } : {}),
    }];
  }

  #hearReport(page: Mesh<"report">): void {
    if (page.boot !== this.boot || page.request !== this.#report?.request) return;
    this.#report.pages.set(page.page, page);
    if (this.#report.pages.size < page.pages) return;
    const statuses = [...this.#report.pages.values()].flatMap((each) => each.statuses);
    const there = new Set(statuses.map((each) => each.replica));
    for (const replica of this.known.keys()) if (!there.has(replica)) this.known.delete(replica);
    for (const status of statuses) this.#learn(status);
    // What the node does not have is ordered again.
    for (const replica of this.wanted.keys()) {
      if (!there.has(replica)) this.answered.delete(`run-ok ${replica}`);
    }
    this.#report = null;
  }

  #learn(status: ReplicaStatus): void {
    const before = this.known.get(status.replica);
    if (before && before.version >= status.version) return;
    if (status.state === "finished" && !this.wanted.has(status.replica)) {
      this.known.delete(status.replica);
      // One that ended by itself stays with the node until it is told to stop.
      if (status.exit?.why !== "stopped") this.leaving.add(status.replica);
      else this.leaving.delete(status.replica);
      return;
    }
    this.known.set(status.replica, status);
    // A stranger, perhaps by an order that came late.
    if (!this.wanted.has(status.replica)) this.leaving.add(status.replica);
  }

  #hearRegister(message: Mesh<"register">): MeshMessage[] {
    const order = message.order!;
    if (order >= this.#wholeOrder) {
      for (const each of message.endpoints) {
        if ((this.gone.get(each.replica) ?? 0) > order) continue;
        if ((this.listed.get(each.replica)?.order ?? 0) > order) continue;
        this.listed.set(each.replica, { port: each.port, order });
      }
      if (message.whole && !this.#takeWhole(message, message.whole, order)) return [];
    }
    return [{ k: "register-ok", tower: "d".repeat(16), node: NODE, request: message.request }];
  }

  #takeWhole(
    message: Mesh<"register">,
    { page, pages }: { readonly page: number; readonly pages: number },
    order: number,
  ): boolean {
    if (this.#whole?.request !== message.request) {
      this.#whole = { request: message.request, pages: new Map() };
    }
    this.#whole.pages.set(page, message);
    if (this.#whole.pages.size < pages) return false;
    const named = new Set(
      [...this.#whole.pages.values()].flatMap((each) => each.endpoints.map((one) => one.replica)),
    );
    for (const [replica, entry] of this.listed) {
      if (!named.has(replica) && entry.order <= order) this.listed.delete(replica);
    }
    this.#wholeOrder = order;
    return true;
  }

  /** What it keeps saying until it is answered. */
  orders(): MeshMessage[] {
    const orders: MeshMessage[] = [];
    for (const [replica, sequence] of this.wanted) {
      if (this.answered.has(`run-ok ${replica}`)) continue;
      const app = APPS[sequence - 1]![0];
      orders.push({ k: "run", node: NODE, replica, app, generation: sequence, sequence, index: 0 });
    }
    for (const replica of this.leaving) {
      const listed = this.known.has(replica);
      if (!listed && this.answered.has(`stop-ok ${replica}`)) continue;
      orders.push({ k: "stop", node: NODE, replica });
    }
    return orders;
  }
}

class Chaos {
  world = new FakeWorld({ boot: "1".padStart(16, "0") }).start();
  readonly peers = new Peers();
  readonly #flying: { readonly atMs: number; readonly text: string; readonly toNode: boolean }[] =
    [];
  readonly #seen = new Map<FakeWorld, number>();
  #boots = 1;
  #replicas = 0;
  loss = 0.2;

  constructor(readonly prng: Prng) {}

  #fly(text: string, toNode: boolean): void {
    for (let copies = this.prng.next() < 0.2 ? 2 : 1; copies > 0; copies--) {
      if (this.prng.next() < this.loss) continue;
      const delayMs = this.prng.next() < 0.1 ? this.prng.below(1_500) : this.prng.below(5);
      this.#flying.push({ atMs: this.world.monoMs + delayMs, text, toNode });
    }
  }

  /** Sends off what the node has said since the last look. */
  #collect(): void {
    const { effects } = this.world;
    for (let at = this.#seen.get(this.world) ?? 0; at < effects.length; at++) {
      const effect = effects[at]!;
      if (effect.do === "send") this.#fly(effect.text, false);
    }
    this.#seen.set(this.world, effects.length);
  }

  /** Lets time pass in small steps, delivering what arrives. */
  pass(ms: number): void {
    for (const end = this.world.monoMs + ms; this.world.monoMs < end;) {
      this.world.advance(Math.min(25, end - this.world.monoMs));
      this.#collect();
      const due = this.#flying.filter((each) => each.atMs <= this.world.monoMs);
      for (const each of due) {
        this.#flying.splice(this.#flying.indexOf(each), 1);
        const message = decodeMesh(each.text)!;
        if (each.toNode) this.world.mesh(message);
        else for (const answer of this.peers.hear(message)) this.#fly(JSON.stringify(answer), true);
      }
      this.#collect();
      if (this.prng.below(4) === 0) {
        for (const order of this.peers.orders()) this.#fly(JSON.stringify(order), true);
      }
      for (const [id, process] of this.world.processes) {
        assert(process.replica === id, "one process a replica");
      }
    }
  }

  act(): void {
    const { world, peers, prng } = this;
    switch (prng.below(9)) {
      case 0:
      case 1:
      case 2:
        peers.wanted.set(`r-${++this.#replicas}`, 1 + prng.below(APPS.length));
        return;
      case 3: {
        const replica = [...peers.wanted.keys()][prng.below(Math.max(1, peers.wanted.size))];
        if (replica === undefined) return;
        peers.wanted.delete(replica);
        peers.leaving.add(replica);
        return;
      }
      case 4: {
        const replica = [...world.processes.keys()][prng.below(Math.max(1, world.processes.size))];
        if (replica !== undefined) world.die(replica, { code: prng.below(2) });
        return;
      }
      case 5:
        world.health = prng.below(2) === 0 ? "passed" : "failed";
        return;
      case 6:
        peers.drained = prng.below(3) > 0;
        return;
      case 7:
        this.restart();
        return;
      case 8: {
        const index = prng.below(APPS.length);
        const [app, lines] = APPS[index]!;
        world.record(index + 1, app, lines);
        return;
      }
    }
  }

  restart(): void {
    this.world = this.world.reborn(String(++this.#boots).padStart(16, "0"));
  }
}

function play(seed: number): void {
  const chaos = new Chaos(createPrng(seed));
  const { peers } = chaos;
  APPS.forEach(([app, lines], index) => {
    chaos.world.event({ on: "record", record: makeRecord(index + 1, app, lines) });
  });
  for (let round = 0; round < 60; round++) {
    chaos.act();
    chaos.pass(chaos.prng.below(600));
  }
  chaos.loss = 0;
  chaos.world.health = "passed";
  peers.drained = true;
  // Longer than the longest backoff.
  chaos.pass(45_000);
  const statuses = chaos.world.statuses;
  for (const [replica, sequence] of peers.wanted) {
    const state = statuses.get(replica)?.state;
    const ended = APPS[sequence - 1]![0] === "once" && state === "finished";
    assert(state === "ready" || ended, `${replica} is ${state}`);
  }
  for (const [replica, { state }] of statuses) {
    assert(peers.wanted.has(replica), `${replica} is still listed: ${state}`);
  }
  const ready = [...statuses.values()].filter((each) => each.state === "ready");
  assertEquals(
    [...chaos.world.processes.keys()].toSorted(),
    ready.map((each) => each.replica).toSorted(),
    "exactly the ready replicas run",
  );
  assertEquals(
    [...peers.listed.keys()].toSorted(),
    ready.filter((each) => each.port !== undefined).map((each) => each.replica).toSorted(),
    "the tower lists exactly the ready replicas with a port",
  );
  const brief = (all: Iterable<ReplicaStatus>) =>
    [...all].map((each) => `${each.replica} ${each.version} ${each.state}`).toSorted();
  assertEquals(brief(peers.known.values()), brief(statuses.values()), "the conductor knows all");
}

Deno.test("whatever is lost, dies or starts again, the node comes to what is wanted", () => {
  const one = Deno.env.get("SKR8TR_SEED");
  const first = one === undefined ? Date.now() % 1_000_000 : Number(one);
  const seeds = one === undefined ? 150 : 1;
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      play(seed);
    } catch (error) {
      throw new Error(
        `seed ${seed} (SKR8TR_SEED=${seed} repeats it): ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }
});
