// A cluster under load for minutes, while it is deployed to, killed and reloaded without a pause: no
// idempotent request may fail, and nothing may grow.

import { findServer, makeSite, manifestOf } from "../../bench/server.ts";
import { answers, ROOT, World } from "../../bench/world.ts";
import { tokenPath } from "../../cli/cluster/daemons.ts";
import { writeTokens } from "../../cli/cluster/tokens.ts";
import { freePort } from "../../core/live/free_port_testing.ts";
import { certificateFolder, certify } from "../../ingress/live/testing_tls.ts";
import { growthOf, type Life, look } from "./growth.ts";
import { askHttp1, askHttp2, pause, tally } from "./load.ts";
import { Several } from "./several.ts";

const APP = "soak";
const REPLICAS = 3;
const SAMPLE_MS = 2_000;
/** Between two disturbances, ms. */
const BETWEEN_MS = 1_500;

/** What a soak has found. */
export interface Found {
  readonly sent: number;
  readonly failures: readonly string[];
  readonly growth: readonly string[];
  /** What was done, and how often. */
  readonly done: ReadonlyMap<string, number>;
  readonly lives: readonly Life[];
}

/**
 * @param conductors how many; several share a store on as many servers of NATS
 * @throws {NotMeasured} without a small server to deploy.
 */
export async function soak(
  minutes: number,
  say: (line: string) => void,
  conductors = 1,
): Promise<Found> {
  const server = await findServer({ note: say } as never, "load");
  await using several = conductors === 1 ? null : await Several.start(conductors);
  await using world = await World.make(several?.flags, conductors);
  world.flags = ["--v8-flags=--expose-gc", `--preload=${ROOT}/tests/soak/timers.ts`];
  await world.startControl();
  for (const name of ["ingress", "node-1", "node-2", "node-3"]) world.daemon(name);
  await world.nodesReady(3);
  const site = await makeSite(world.folder, [APP]);
  const manifest = (release: number) =>
    world.manifest(APP, manifestOf(server, APP, site, { release, replicas: REPLICAS }));
  await world.skr8tr("up", "--wait", await manifest(0)).ended;
  await world.served(`/${APP}`);

  await using edge = await startEdge(world);
  const endMs = performance.now() + minutes * 60_000;
  const running = () => performance.now() < endMs;
  const counted = tally();
  const { ingress } = world.layout;
  const kept = { keepAlive: true, pauseMs: 20 };
  const users = [
    ...Array.from({ length: 4 }, () => askHttp1(ingress, `/${APP}`, running, counted, kept)),
    askHttp1(ingress, `/${APP}`, running, counted, { keepAlive: false, pauseMs: 100 }),
    ...edge.ask(`/${APP}`, running, counted),
  ];

  const lives: Life[] = [];
  const watch = async () => {
    while (running()) {
      const now = performance.now();
      const daemons: [string, number, string][] = world.running.map((name) => [
        name,
        world.pidOf(name),
        world.logOf(name),
      ]);
      if (edge.pid !== null) daemons.push(["edge", edge.pid, edge.log]);
      for (const [name, pid, log] of daemons) {
        const held = await look(pid, log, now);
        if (held === null) continue;
        let life = lives.find((each) => each.pid === pid);
        if (life === undefined) lives.push(life = { name, pid, samples: [] });
        life.samples.push(held);
      }
      await pause(SAMPLE_MS);
    }
  };

  const done = new Map<string, number>();
  const disturb = async () => {
    const startMs = performance.now();
    for (let round = 1; running(); round++) {
      // Later on the controlling daemons are left alone, so that their growth would show.
      const early = performance.now() - startMs < minutes * 60_000 / 3;
      const acts: [string, () => Promise<unknown>][] = [
        ["deploy", async () => await world.skr8tr("up", await manifest(round)).ended],
        ["kill a replica", () => killReplica(world)],
        ["reload a certificate", () => edge.reload()],
        ["kill node-3", () => restart(world, "node-3")],
        ...several?.acts(world) ?? [],
        ...early
          ? [
            ["kill the conductor", () => restart(world, "conductor")],
            ["kill the tower", () => restart(world, "tower")],
            ["kill node-1", () => restart(world, "node-1")],
          ] as [string, () => Promise<unknown>][]
          : [],
      ];
      // Every second act is a deploy.
      const [what, act] = round % 2 === 0 ? acts[0]! : acts[1 + (round >> 1) % (acts.length - 1)]!;
      // A deploy that meets a killed conductor may fail; the requests must not.
      const ok = await act().then(() => true, () => false);
      const key = ok ? what : `${what} (in vain)`;
      done.set(key, (done.get(key) ?? 0) + 1);
      await pause(BETWEEN_MS);
    }
  };

  await Promise.all([watch(), disturb(), ...users]);
  return {
    sent: counted.sent,
    failures: [...counted.failures].map(([why, count]) => `${count} times: ${why}`),
    growth: lives.flatMap(growthOf),
    done,
    lives,
  };
}

async function restart(world: World, name: string): Promise<void> {
  await world.kill(name);
  world.daemon(name);
}

async function killReplica(world: World): Promise<void> {
  const { replicas } = await world.view(APP);
  // Never the last one: what nobody can answer is nobody's fault.
  const ready = replicas.filter((each) => each.state === "ready" && each.pid !== undefined);
  if (ready.length < 2) throw new Error("too few are ready");
  Deno.kill(ready[Math.floor(Math.random() * ready.length)]!.pid!, "SIGKILL");
}

interface Edge extends AsyncDisposable {
  readonly pid: number | null;
  readonly log: string;
  ask(path: string, running: () => boolean, to: ReturnType<typeof tally>): Promise<void>[];
  reload(): Promise<void>;
}

/** A second ingress, with TLS, at the same tower; without openssl there is none. */
async function startEdge(world: World): Promise<Edge> {
  const files = await certify("soak", "localhost");
  if (files === null) {
    return {
      pid: null,
      log: "",
      ask: () => [],
      reload: () => Promise.reject(new Error("openssl is not installed")),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const [http, https] = [freePort(), freePort()];
  const log = `${world.folder}/edge.log`;
  const { tower, conductor } = world.layout;
  const state = `${world.folder}/edge`;
  const keys = {
    secret: world.keyPath,
    public: world.keyPath.replace("signing.sec", "skrtrview.pub"),
  };
  await writeTokens(`${world.folder}/state/conductor`, conductor, keys, [[state, "ingress"]]);
  const child = new Deno.Command("sh", {
    args: [
      ...["-c", 'log=$1; shift; exec "$@" 2>>"$log" >&2', "sh", log, Deno.execPath(), "run"],
      ...[...world.flags, "--no-prompt", "--allow-net=127.0.0.0/8"],
      ...[`--allow-read=${certificateFolder},${state}`, `--allow-write=${state}`],
      ...[`${ROOT}/ingress/main.ts`, "--admin", "0"],
      ...["--name", "edge", "--state", state, "--join", tokenPath(state)],
      ...["--http", String(http), "--https", String(https)],
      ...["--tower", `${tower.hostname}:${tower.port}`],
      ...["--tls-cert", files.certificate, "--tls-key", files.key],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await answers({ hostname: "127.0.0.1", port: http }, `/${APP}`);
  return {
    pid: child.pid,
    log,
    ask(path, running, to) {
      const ca = Deno.readTextFileSync(files.certificate);
      const target = { hostname: "127.0.0.1", port: http };
      return [
        askHttp1(target, path, running, to, { keepAlive: true, pauseMs: 30 }),
        askHttp2(`https://localhost:${https}`, ca, path, running, to, 30),
        askHttp2(`https://localhost:${https}`, ca, path, running, to, 30),
      ];
    },
    async reload() {
      // The same certificate in a new file: whoever trusts it goes on, whoever holds a connection too.
      for (const file of [files.key, files.certificate]) {
        await Deno.copyFile(file, `${file}.new`);
        await Deno.rename(`${file}.new`, file);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}
