import { appsOf } from "../../cli/manifests.ts";
import { manifestPath, programPath, type Shape, SHAPES } from "../../market/launch.ts";
import { cacheImports } from "../../cli/cluster/prepare.ts";
import { makeSecrets } from "../../cli/cluster/secrets.ts";
import { openSigner } from "../../cli/keys.ts";
import { buildFront } from "../../market/web/build.ts";
import { memoryOf } from "../processes.ts";
import type { Figure, Recorder, Row } from "../row.ts";
import { shop, Shopper } from "../shopping.ts";
import { quantile } from "../statistics.ts";
import { ROOT, until, World } from "../world.ts";

const SHOPPERS = 8;
const SECONDS = 10;
/** Shopping that is not counted: everything is compiled then. */
const WARM_UP_SECONDS = 3;
const MB = 1_000_000;

const ORDER = ["nine", "five"] as const;

function figuresOf(shape: Shape): Figure[] {
  const figure = (
    key: string,
    label: string,
    unit: string,
    more: Partial<Figure> = {},
  ): Figure => ({
    key: `${shape}-${key}`,
    label: `${shape}: ${label}`,
    unit,
    ...more,
  });
  return [
    figure("page-p50", "a product's page, p50", "ms"),
    figure("page-p99", "a product's page, p99", "ms"),
    figure("checkout-p50", "a checkout, p50", "ms"),
    figure("checkout-p99", "a checkout, p99", "ms"),
    figure("rate", "requests", "1/s", { better: "more" }),
    figure("failed", "failed", "requests"),
    figure("memory", "all programs, PSS", "MB"),
    figure("deploy", "deploy: up to all routed", "ms"),
    figure("rollout", "rollout of every program", "ms"),
  ];
}

export const row: Row = {
  name: "shapes",
  measures:
    `the market as nine services (18 replicas) and as five programs (8 replicas and the ingress), ` +
    `in turn, each on a fresh cluster of three nodes on this machine: ${SHOPPERS} shoppers for ` +
    `${SECONDS} s in a closed loop (a page is product, stock, reviews and recommendations at once; ` +
    "a checkout is the order of a cart); memory of the shop's programs after it; `skr8tr up` of all " +
    "manifests; the same after a change of each, until every replica is new",
  runs: 3,
  figures: ORDER.flatMap(figuresOf),
  async run(recorder: Recorder) {
    await buildFront();
    const programs = [...SHAPES.nine, ...SHAPES.five].map(programPath);
    await cacheImports(ROOT, programs, (line) => recorder.progress(line));
    for (let run = 0; run < recorder.runs; run++) {
      // Who comes first changes from run to run: what the machine did meanwhile meets both.
      const order = run % 2 === 0 ? ORDER : ORDER.toReversed();
      for (const shape of order) {
        recorder.progress(`run ${run + 1} of ${recorder.runs}: ${shape}`);
        await measure(recorder, shape);
      }
    }
  },
};

async function measure(recorder: Recorder, shape: Shape): Promise<void> {
  const sample = (key: string, value: number) => recorder.sample(`${shape}-${key}`, value);
  await using world = await World.start();
  const files = await manifests(world, shape, 1);
  const specs = await appsOf(files);
  const signer = await openSigner(world.keyPath);
  await makeSecrets(specs, world.conductor, signer, world.keyPath, 5_000);

  const up = world.skr8tr("up", "--wait", ...files);
  const failed = up.ended.then(() => new Promise<never>(() => {}));
  const routed = until("all replicas are routed", async () => {
    const { replicas } = await world.ingressStatus();
    return specs.every((spec) =>
      spec.routes.length === 0 ||
      replicas.filter(({ app, leaving }) => app === spec.name && !leaving).length >= spec.replicas
    );
  });
  await Promise.race([routed, failed]);
  sample("deploy", performance.now() - up.startedMs);
  await up.ended;

  const shoppers: Shopper[] = [];
  // One after another: a password's hash costs a core for a while.
  while (shoppers.length < SHOPPERS) shoppers.push(await Shopper.register(world.layout.ingress));
  await shop(shoppers, WARM_UP_SECONDS);
  const result = await shop(shoppers, SECONDS);
  sample("page-p50", quantile(result.pagesMs, 0.5));
  sample("page-p99", quantile(result.pagesMs, 0.99));
  sample("checkout-p50", quantile(result.checkoutsMs, 0.5));
  sample("checkout-p99", quantile(result.checkoutsMs, 0.99));
  sample("rate", result.requests / result.seconds);
  sample("failed", [...result.failures.values()].reduce((sum, count) => sum + count, 0));
  for (const [why, count] of result.failures) recorder.note(`${shape}: ${count} failed: ${why}`);
  sample("memory", (await pssBytes(world)) / MB);
  sample("rollout", await rollOut(world, shape));
}

/** Memory of all replicas' programs; what they share counts once. */
async function pssBytes(world: World): Promise<number> {
  const views = await Promise.all((await world.apps()).map(({ app }) => world.view(app)));
  const pids = views.flatMap(({ replicas }) => replicas.flatMap(({ pid }) => pid ?? []));
  return pids.reduce((sum, pid) => sum + (memoryOf(pid).pssBytes || 0), 0);
}

/**
 * Copies of a shape's manifests, all with the same release in their environment: a replica of another
 * release is another process. Without `cpu`, of which three nodes on one machine have less than they
 * say, and without `scale`, so that as many replicas run at the end as at the start.
 */
async function manifests(world: World, shape: Shape, release: number): Promise<string[]> {
  return await Promise.all(SHAPES[shape].map(async (program) => {
    const text = await Deno.readTextFile(`${ROOT}/${manifestPath(program)}`);
    const plain = text.replace(/^ {2}cpu .*\n/m, "").replace(/^ {2}scale \{\n[^}]*\}\n/m, "");
    const line = `    RELEASE ${release}\n`;
    const released = /^ {2}env \{\n/m.test(plain)
      ? plain.replace(/^ {2}env \{\n/m, (env) => env + line)
      : `${plain.trimEnd()}\n\n  env {\n${line}  }\n`;
    return await world.manifest(program, released);
  }));
}

/** Deploys the next release of all at once; how long until every replica is a new one, ms. */
async function rollOut(world: World, shape: Shape): Promise<number> {
  const files = await manifests(world, shape, 2);
  const seen = await Promise.all(SHAPES[shape].map(async (program) => {
    const { generation } = await world.view(program);
    // What is seen is waited for from here on, so the promise is handed on in a box.
    const done = world.seen(
      program,
      ({ ready, wanted, replicas }) =>
        ready === wanted && replicas.every((each) => each.generation > generation),
    );
    return { done };
  }));
  const up = world.skr8tr("up", ...files);
  const [ended] = await Promise.all([Promise.all(seen.map(({ done }) => done)), up.ended]);
  return Math.max(...ended) - up.startedMs;
}
