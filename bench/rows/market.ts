import { cacheImports } from "../../cli/cluster/prepare.ts";
import { appsOf } from "../../cli/manifests.ts";
import { makeSecrets } from "../../cli/cluster/secrets.ts";
import { openSigner } from "../../cli/keys.ts";
import { buildFront } from "../../market/web/build.ts";
import type { Recorder, Row } from "../row.ts";
import { ROOT, until, World } from "../world.ts";

const REPLICAS = 18;

/** A market that is ready and routed. */
export interface Market extends AsyncDisposable {
  readonly world: World;
  /** From the start of `skr8tr up` until all was routed, ms. */
  readonly routedMs: number;
  /** The same until the conductor knew all to be ready, ms. */
  readonly readyMs: number;
}

/** What the market needs and does not build while it is measured: front and dependencies. */
export async function prepareMarket(recorder: Recorder): Promise<readonly string[]> {
  await buildFront();
  const folder = `${ROOT}/market/manifests`;
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  const manifests = names.filter((name) => name.endsWith(".skr8tr"));
  const services = manifests.map((name) => name.replace(".skr8tr", ""));
  await cacheImports(
    ROOT,
    services.map((name) => `market/services/${name}/main.ts`),
    (line) => recorder.progress(line),
  );
  return manifests.map((name) => `${folder}/${name}`);
}

/** Deploys the nine by one `skr8tr up` on a cluster that has nothing else. */
export async function startMarket(manifests: readonly string[]): Promise<Market> {
  const specs = await appsOf(manifests);
  const world = await World.start();
  try {
    // An operator has set them long before: they are not what is measured.
    const signer = await openSigner(world.keyPath);
    await makeSecrets(specs, world.conductor, signer, world.keyPath, 5_000);
    const up = world.skr8tr("up", "--wait", ...manifests);
    const failed = up.ended.then(() => new Promise<never>(() => {}));
    const wanted = new Map(specs.map(({ name, replicas }) => [name, replicas]));
    const routed = until("all replicas are routed", async () => {
      const { replicas } = await world.ingressStatus();
      const there = replicas.filter(({ leaving }) => !leaving);
      return there.length >= REPLICAS &&
        [...wanted].every(([app, count]) =>
          there.filter((each) => each.app === app).length >= count
        );
    });
    await Promise.race([routed, failed]);
    const routedMs = performance.now() - up.startedMs;
    const readyMs = await up.ended - up.startedMs;
    return { world, routedMs, readyMs, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

export const row: Row = {
  name: "market",
  measures:
    "`skr8tr up` of the nine manifests, from the start of its process until the ingress has " +
    "all 18 replicas, on a fresh cluster of three nodes (front built and imports cached before)",
  runs: 10,
  figures: [
    { key: "market", label: "up to 18 routed", unit: "ms", mustReach: 4000, goal: 2000 },
    { key: "exit", label: "up --wait exits", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    const manifests = await prepareMarket(recorder);
    for (let run = 0; run < recorder.runs; run++) {
      await using market = await startMarket(manifests);
      recorder.sample("market", market.routedMs);
      recorder.sample("exit", market.readyMs);
    }
  },
};
