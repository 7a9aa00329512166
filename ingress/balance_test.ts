import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EJECT_MIN_MS, SLOW_START_MS } from "../core/limits.ts";
import { AppPool, Replica } from "./balance.ts";

function poolOf(count: number, warm = true, nowMs = 0): { pool: AppPool; replicas: Replica[] } {
  const pool = new AppPool("shop");
  const replicas = Array.from({ length: count }, (_, index) =>
    new Replica(
      {
        replica: `shop-${index}`,
        app: "shop",
        generation: 1,
        node: "n1",
        host: "127.0.0.1",
        port: 1000 + index,
      },
      nowMs,
      warm,
    ));
  for (const each of replicas) pool.add(each);
  return { pool, replicas };
}

function portsPicked(pool: AppPool, times: number, nowMs = 0): number[] {
  return Array.from({ length: times }, () => pool.pick(nowMs)!.endpoint.port);
}

Deno.test("AppPool.pick() takes idle replicas in turn", () => {
  assertEquals(portsPicked(poolOf(2).pool, 5), [1000, 1001, 1000, 1001, 1000]);
  assertEquals(portsPicked(poolOf(3).pool, 4), [1000, 1001, 1002, 1000]);
  assertEquals(portsPicked(poolOf(1).pool, 2), [1000, 1000]);
  assertEquals(new AppPool("none").pick(0), null);
});

Deno.test("AppPool.pick() takes replicas that start together in turn, too", () => {
  const { pool } = poolOf(2, false);
  assertEquals(portsPicked(pool, 4, 1), [1000, 1001, 1000, 1001]);
});

Deno.test("AppPool.pick() prefers the replica with the fewest outstanding requests", () => {
  const { pool, replicas } = poolOf(3);
  replicas[0]!.outstanding = 2;
  replicas[1]!.outstanding = 5;
  assertEquals(portsPicked(pool, 3), [1002, 1002, 1002]);
});

Deno.test("AppPool.pick() gives a new replica among warm ones a growing share", () => {
  const { pool } = poolOf(1);
  const fresh = new Replica(
    { replica: "new", app: "shop", generation: 2, node: "n1", host: "h", port: 2000 },
    0,
    false,
  );
  pool.add(fresh);
  const shareAt = (nowMs: number) =>
    portsPicked(pool, 200, nowMs).filter((port) => port === 2000).length / 200;
  const [early, middle, late] = [shareAt(0), shareAt(SLOW_START_MS / 2), shareAt(SLOW_START_MS)];
  assert(early > 0.05 && early < 0.15, `early ${early}`);
  assert(middle > 0.3 && middle <= 0.5, `middle ${middle}`);
  assertEquals(late, 0.5);
});

Deno.test("AppPool.pick() leaves out what was tried and what is ejected, unless there is no other", () => {
  const { pool, replicas } = poolOf(3);
  replicas[0]!.circuit.failed(0, true);
  assertEquals([...new Set(portsPicked(pool, 6))].sort(), [1001, 1002]);
  assertEquals(pool.pick(0, [replicas[1]!]), replicas[2]);
  assertEquals(pool.pick(0, [replicas[1]!, replicas[2]!]), replicas[0]);
  for (const each of replicas) each.circuit.failed(0, true);
  assert(pool.pick(0) !== null);
  // The first comes back for one trial.
  assertEquals(pool.find(replicas[0]!.key, EJECT_MIN_MS - 1), null);
  assertEquals(pool.find(replicas[0]!.key, EJECT_MIN_MS), replicas[0]);
});

Deno.test("AppPool.pick() always picks one of its replicas, whatever has come and gone", () => {
  const change = fc.record({ add: fc.boolean(), at: fc.nat(40), busy: fc.nat(5) });
  fc.assert(fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
    const { pool } = poolOf(0);
    let made = 0;
    changes.forEach(({ add, at, busy }, step) => {
      if (add || pool.replicas.length === 0) {
        const { replicas: [replica] } = poolOf(1, step % 2 === 0, step);
        replica!.outstanding = busy;
        pool.add(replica!);
        made++;
      } else pool.remove(pool.replicas[at % pool.replicas.length]!);
      const picked = pool.pick(step * 100);
      if (pool.replicas.length === 0) assertEquals(picked, null);
      else assert(pool.replicas.includes(picked!));
    });
    assert(made >= pool.replicas.length);
  }));
});

/** Replicas of generation 1 and, from port 2000 on, of generation 2. */
function poolOfTwo(old: number, fresh: number): AppPool {
  const { pool } = poolOf(old);
  for (let index = 0; index < fresh; index++) {
    const port = 2000 + index;
    pool.add(
      new Replica(
        { replica: `new-${index}`, app: "shop", generation: 2, node: "n1", host: "h", port },
        0,
        true,
      ),
    );
  }
  return pool;
}

for (const percent of [0, 1, 10, 12.5, 50, 99, 100]) {
  Deno.test(`AppPool.split() sends exactly ${percent} % to the canary, spread evenly`, () => {
    const pool = poolOfTwo(3, 2);
    pool.split({ generation: 2, percent });
    const ports = portsPicked(pool, 800);
    assertEquals(ports.filter((port) => port >= 2000).length, 8 * percent);
    // Evenly: at no time is it more than one request away from its share.
    let canary = 0;
    ports.forEach((port, at) => {
      if (port >= 2000) canary++;
      assert(Math.abs(canary - (at + 1) * percent / 100) < 1 + 1e-9, `after ${at + 1}: ${canary}`);
    });
  });
}

Deno.test("AppPool.split() falls back where one side cannot answer, and ends when it is taken back", () => {
  const pool = poolOfTwo(2, 1);
  pool.split({ generation: 2, percent: 50 });
  const canary = pool.replicas.find((each) => each.endpoint.generation === 2)!;
  assertEquals(pool.pick(0, [canary])!.endpoint.generation, 1, "a second attempt: the proven side");
  canary.circuit.failed(0, true);
  assert(portsPicked(pool, 20).every((port) => port < 2000), "it is ejected");
  pool.remove(canary);
  assert(portsPicked(pool, 20).every((port) => port < 2000), "it is gone");
  for (const each of [...pool.replicas]) pool.remove(each);
  assertEquals(pool.pick(0), null);
  pool.add(canary);
  assertEquals(pool.pick(0), canary, "there is no other");
  pool.split(null);
  const { pool: plain } = poolOf(2);
  for (const each of plain.replicas) pool.add(each);
  assertEquals(pool.find(canary.key, EJECT_MIN_MS), canary, "sticky clients stay");
});

Deno.test("AppPool.pick() gives a warming replica its part of a load that the others cannot take", () => {
  const { pool, replicas } = poolOf(1);
  const fresh = new Replica(
    { replica: "new", app: "shop", generation: 1, node: "n1", host: "h", port: 2000 },
    0,
    false,
  );
  pool.add(fresh);
  replicas[0]!.outstanding = 100;
  // A tenth of its share: up to 10 requests at a time beside the other's hundred.
  for (let count = 0; count < 9; count++) {
    assertEquals(pool.pick(0), fresh);
    fresh.outstanding++;
  }
  fresh.outstanding = 60;
  const ports = portsPicked(pool, 20);
  assert(ports.filter((port) => port === 2000).length <= 3, `${ports}`);
});
