// Two towers and the nodes' own links to them, over real datagrams: one is lost and comes back.

import { assert, assertEquals } from "@std/assert";
import type { Address } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { openUdp, type Udp } from "../../core/live/udp.ts";
import { decodeMesh, encodeMesh, type Endpoint } from "../../core/mesh.ts";
import { WatchClient } from "../../tower/live/testing.ts";
import { type LiveTower, startTower } from "../../tower/live/tower.ts";
import { bootId, nodeId } from "../../tower/testing.ts";
import { Towers } from "../towers.ts";

const NODES = 8;
const REPLICAS = 50;
const DEADLINE_MS = 20_000;

/** What a node has of its towers: the link as it is, a socket, and time. */
class Links implements AsyncDisposable {
  readonly endpoints: readonly Endpoint[];
  readonly towers: Towers;
  readonly #udp: Udp;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(number: number, addresses: readonly Address[]) {
    const self = { node: nodeId(number), boot: bootId(number), port: 7_775 };
    this.towers = new Towers(self, addresses);
    const receive = (text: string, from: Address) => this.#receive(text, from);
    this.#udp = openUdp({ hostname: "127.0.0.1", port: 0, receive });
    this.endpoints = Array.from({ length: REPLICAS }, (_, at) => ({
      replica: `app-${number}.${at}`,
      app: `app-${number}`,
      generation: 1,
      node: `node-${number}`,
      host: "127.0.0.1",
      port: 10_000 + at,
    }));
    for (const endpoint of this.endpoints) this.towers.register(endpoint, performance.now());
    this.#timer = setInterval(() => this.#tick(), 10);
  }

  get listed(): boolean {
    const nowMs = performance.now();
    return this.endpoints.every(({ replica }) => this.towers.isListed(replica, nowMs));
  }

  #tick(): void {
    for (const { to, message } of this.towers.tick(performance.now())) {
      this.#udp.send(encodeMesh(message), to);
    }
  }

  #receive(text: string, from: Address): void {
    const message = decodeMesh(text);
    const nowMs = performance.now();
    if (message?.k === "lease-ok") this.towers.onLeaseOk(message, from, nowMs);
    if (message?.k === "register-ok") this.towers.onRegisterOk(message, from, nowMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#udp[Symbol.asyncDispose]();
  }
}

/** Where another was a moment ago. */
async function startAgain(port: number): Promise<LiveTower> {
  for (const untilMs = performance.now() + DEADLINE_MS;;) {
    try {
      return startTower({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Failure) || performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Resolves when a tower lists everything; to when that was, on `performance.now()`. */
async function whole({ address, machine }: LiveTower): Promise<number> {
  await using watcher = new WatchClient(address, "client");
  await watcher.next("snapshot", DEADLINE_MS);
  while (machine.registry.size < NODES * REPLICAS) await watcher.next("delta", DEADLINE_MS);
  return performance.now();
}

Deno.test("a tower that returns beside another lists all replicas again by the nodes' next leases", async () => {
  await using one = startTower({ hostname: "127.0.0.1", port: 0 });
  const first = startTower({ hostname: "127.0.0.1", port: 0 });
  const addresses = [one.address, first.address];
  await using nodes = new AsyncDisposableStack();
  const links = Array.from(
    { length: NODES },
    (_, at) => nodes.use(new Links(at + 1, addresses)),
  );
  await Promise.all([whole(one), whole(first)]);
  await first.stop();

  await using again = await startAgain(first.address.port);
  const beganMs = performance.now();
  const tookMs = Math.round(await whole(again) - beganMs);
  console.log(`${NODES * REPLICAS} replicas of ${NODES} nodes are listed again after ${tookMs} ms`);
  assert(tookMs < DEADLINE_MS);
  assertEquals(
    again.machine.registry.endpoints().map((each) => each.replica).sort(),
    links.flatMap(({ endpoints }) => endpoints.map((each) => each.replica)).sort(),
  );
  // The other one never missed any, and the nodes go on with both.
  assertEquals(one.machine.registry.size, NODES * REPLICAS);
  await using watcher = new WatchClient(again.address, "client");
  await watcher.next("complete", DEADLINE_MS);
  assert(links.every(({ listed }) => listed));
});
