// The store on NATS JetStream, on a cluster of three servers that this file starts and harms.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { NatsStore } from "./store_nats.ts";
import { Failure } from "../../core/errors.ts";
import { type Entry, type EntryBody, type LogStore, nextEntry } from "../../core/log.ts";
import { hasNats, NatsCluster } from "../../tests/contract/nats_cluster.ts";
import { sharedStoreContract } from "../../tests/contract/shared_store.ts";
import { storeContract } from "../../tests/contract/store.ts";

const ignore = !hasNats();
let shared: Promise<NatsCluster> | undefined;
let names = 0;

/** The cluster that the contract runs on. */
function cluster(): Promise<NatsCluster> {
  return shared ??= NatsCluster.start({ size: 3, hostname: "127.0.44.1" });
}

async function fresh(): Promise<() => Promise<NatsStore>> {
  const target = (await cluster()).target(`contract-${names++}`);
  return () => NatsStore.open(target);
}

async function failureOf(work: () => Promise<unknown>): Promise<Failure> {
  const error = await assertRejects(work);
  assertInstanceOf(error, Failure);
  return error as Failure;
}

Deno.test.afterAll(async () => await (await shared)?.[Symbol.asyncDispose]());

storeContract("NATS", fresh, { ignore });
sharedStoreContract("NATS", fresh, { ignore });

function entryAfter(head: Parameters<typeof nextEntry>[0], name: string): Entry {
  const body: EntryBody = { kind: "node", node: "0".repeat(32), name };
  return nextEntry(head, 1_795_177_690_123, body);
}

async function appendOne(store: LogStore, name: string): Promise<Entry> {
  const entry = entryAfter(await store.head(), name);
  await store.append(entry);
  return entry;
}

Deno.test({
  name: "store NATS: what does not fit into a message stands in parts, encrypted if it is to be",
  ignore,
  async fn() {
    const target = (await cluster()).target(`large-${names++}`);
    const key = crypto.getRandomValues(new Uint8Array(32));
    const store = await NatsStore.open(target, key);
    const reasons = [`"größer" \\ ${"x".repeat(1_100_000)}`, "z"];
    const body = { kind: "decision", place: [], leave: [], gone: [], reasons } as const;
    const entry = nextEntry(await store.head(), 1_795_177_690_123, body);
    await store.append(entry);
    assertEquals(await store.read(0, 10), [entry]);
    const state = JSON.stringify({ large: "s".repeat(600_000) });
    await store.saveSnapshot({ sequence: 1, hash: entry.hash }, state);
    assertEquals((await store.loadSnapshot())?.state, state);
    await store.close();
    const without = await NatsStore.open(target);
    assertEquals((await failureOf(() => without.read(0, 1))).code, "no-key");
    assertEquals(await without.loadSnapshot(), null);
    await without.close();
  },
});

Deno.test({
  name: "store NATS: a full store refuses what is new and keeps what is old",
  ignore,
  async fn() {
    const target = (await cluster()).target(`full-${names++}`, { maxBytes: 8_192 });
    const store = await NatsStore.open(target);
    const entries: Entry[] = [];
    const failure = await failureOf(async () => {
      for (;;) entries.push(await appendOne(store, `node-${entries.length}-${"n".repeat(40)}`));
    });
    assertEquals(failure.code, "store-failed");
    assert(failure.message.includes("make room"), failure.message);
    assert(entries.length > 5, `only ${entries.length} entries fit`);
    assertEquals(await store.read(0, 1_000), entries);
    await store.close();
  },
});

Deno.test({
  name:
    "store NATS: the server that leads is killed between writes: none is lost, none comes twice",
  ignore,
  async fn() {
    await using own = await NatsCluster.start({ size: 3, hostname: "127.0.44.2" });
    const store = await NatsStore.open(own.target("killed"));
    const entries: Entry[] = [];
    const leader = await own.leaderOf("killed-log");
    for (let step = 0; step < 20; step++) {
      const appended = appendOne(store, `node-${entries.length}`);
      // The kill falls somewhere between a request and its answer.
      if (step === 10) await leader.end();
      entries.push(await appended);
    }
    leader.start();
    assertEquals(await store.read(0, 1_000), entries);
    const other = await NatsStore.open(own.target("killed"));
    assertEquals(await other.read(0, 1_000), entries);
    await other.close();
    await store.close();
  },
});

Deno.test({
  name: "store NATS: what nobody can judge is unsure, and is found out when servers are back",
  ignore,
  async fn() {
    await using own = await NatsCluster.start({ size: 3, hostname: "127.0.44.3" });
    const store = await NatsStore.open(own.target("unsure"), null, { patienceMs: 1_500 });
    const first = await appendOne(store, "node-1");
    await Promise.all(own.servers.map((server) => server.pause()));
    const entry = entryAfter({ sequence: 1, hash: first.hash }, "node-2");
    const failure = await failureOf(() => store.append(entry));
    assertEquals(failure.code, "store-unsure");
    for (const server of own.servers) server.resume();
    // Once more, with patience: whether it had come in or not, it stands there once.
    const patient = await NatsStore.open(own.target("unsure"));
    await patient.append(entry);
    assertEquals(await patient.read(0, 10), [first, entry]);
    await patient.close();
    await store.close();
  },
});

Deno.test({
  name: "store NATS: what its servers have lost of the end is written again by who knows it",
  ignore,
  async fn() {
    await using own = await NatsCluster.start({ size: 1, hostname: "127.0.44.4" });
    const store = await NatsStore.open(own.target("lost"));
    const entries: Entry[] = [];
    for (let count = 0; count < 5; count++) entries.push(await appendOne(store, `node-${count}`));
    const stranger = await NatsStore.open(own.target("lost"));
    await own.lose("lost-log", 2);
    assertEquals(await store.read(0, 10), entries.slice(0, 3));
    const next = entryAfter(entries.at(-1)!, "node-5");
    // Who has not seen what is lost cannot mend it.
    const failure = await failureOf(() => stranger.append(next));
    assertEquals(failure.code, "store-conflict");
    assert(failure.message.includes("have lost the entries 4 to 5"), failure.message);
    await store.append(next);
    assertEquals(await stranger.read(0, 10), [...entries, next]);
    await stranger.close();
    await store.close();
  },
});
