// What 1,000 slow clients cost the others: heads that come byte by byte, at an even healthy load.

import { startLoad } from "./load.ts";
import { quantile } from "./statistics.ts";
import { findProgram, freePort, HOST, residentBytes, spawn, startBackends } from "./ingress.ts";

const SLOW = 1_000;
const PER_SECOND = 500;
const SECONDS = 4;

export interface SlowSample {
  readonly calmMs: number;
  readonly slowMs: number;
  readonly bytes: number;
  readonly failed: number;
}

/** @throws where nginx is not installed. */
export async function benchSlow(runs: number): Promise<SlowSample[]> {
  if (await findProgram("nginx") === null) {
    throw new Error("bench slow-clients: needs nginx (apt-get install nginx-light)");
  }
  const port = freePort();
  await using backends = await startBackends(1);
  const main = new URL("../ingress/main.ts", import.meta.url).pathname;
  const ingress = await spawn(Deno.execPath(), [
    ...["run", "--allow-net", main, "--tower", "none", "--admin", "0", "--http", String(port)],
    ...["--route", "/:app", "--upstream", `app=${HOST}:${backends.ports[0]}`],
    ...["--head-timeout", "60"],
  ], port);
  try {
    await healthy(port);
    const samples: SlowSample[] = [];
    for (let run = 0; run < runs; run++) {
      const calm = await healthy(port);
      const before = await residentBytes(ingress.pid);
      const stop = await startSlow(port);
      const slow = await healthy(port);
      const bytes = await residentBytes(ingress.pid) - before;
      await stop();
      const failed = calm.failed + slow.failed;
      samples.push({ calmMs: calm.p99Ms, slowMs: slow.p99Ms, bytes, failed });
    }
    return samples;
  } finally {
    await ingress.stop();
  }
}

async function healthy(port: number): Promise<{ p99Ms: number; failed: number }> {
  const load = startLoad({ hostname: HOST, port }, "/", PER_SECOND);
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const { failures, latenciesMs } = await load.stop();
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
  return { p99Ms: quantile(latenciesMs, 0.99), failed };
}

/** Opens the slow connections, each sending a byte a second; resolves to what ends them. */
async function startSlow(port: number): Promise<() => Promise<void>> {
  const text = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: aaaaaaaaaaaaa");
  const wires: Deno.TcpConn[] = [];
  for (let at = 0; at < SLOW; at++) wires.push(await Deno.connect({ hostname: HOST, port }));
  let at = 0;
  // A tenth of them each 100 ms, so that the bytes come evenly.
  const timer = setInterval(() => {
    for (let wire = at % 10; wire < SLOW; wire += 10) {
      const byte = text.subarray(Math.floor(at / 10) % text.length).subarray(0, 1);
      wires[wire]!.write(byte).catch(() => {});
    }
    at++;
  }, 100);
  return () => {
    clearInterval(timer);
    for (const wire of wires) wire.close();
    return Promise.resolve();
  };
}
