// No single point: under requests and deploys, each daemon and each host is killed, frozen and cut
// off in turn. All of it takes long and is behind `deno task several`; here is the worst of it.

import { assert, assertEquals } from "@std/assert";
import { hasNats } from "../contract/nats_cluster.ts";
import { kill, until } from "./cluster_process.ts";
import { whyNoNetworks } from "./netns.ts";
import { ROOT } from "./netns_cluster.ts";
import { CONTROLS, EDGES, NODES, SeveralCluster, TOWERS } from "./several_cluster.ts";

const APP = "product-svc";
const REPLICAS = 3;
const ALL = Deno.env.get("SKR8TR_SEVERAL") === "all";
/** Loops of requests: each pauses between two. */
const LOOPS = ALL ? 16 : 4;
/** How long something is frozen or cut off, ms. */
const OUT_MS = 6_000;

const why = hasNats() ? await whyNoNetworks() : "nats-server is not installed";
if (why !== null) console.log(`not run: ${why}: several conductors in network namespaces`);

/** Deploys one generation after another, until told to stop. */
class Deployer {
  #generation = 0;
  #going = true;
  readonly #done: Promise<void>;
  /** When each deploy was ready, on `performance.now()`. */
  readonly readyMs: number[] = [];

  constructor(private readonly cluster: SeveralCluster) {
    this.#done = this.#loop();
    this.#done.catch(() => {});
  }

  async #loop(): Promise<void> {
    while (this.#going) await this.#deploy();
  }

  async #deploy(): Promise<void> {
    const { folder } = this.cluster;
    const text = await Deno.readTextFile(`${ROOT}/market/manifests/${APP}.skr8tr`);
    const ram = 160 + ++this.#generation % 50;
    const changed = text.replace(/^ {2}ram .*$/m, `  ram ${ram}mb`)
      .replace(/^ {2}replicas .*\n/m, "")
      .replace(/^ {2}scale \{[^}]*\}\n/m, "")
      .replace(/^(app .*)$/m, `$1\n  replicas ${REPLICAS}`);
    await Deno.writeTextFile(`${folder}/${APP}.skr8tr`, changed);
    const { code, out, err } = await this.cluster.skr8tr("up", "--wait", `${folder}/${APP}.skr8tr`);
    assertEquals(code, 0, `${out}${err}`);
    this.readyMs.push(performance.now());
  }

  /** Waits until so many more deploys were made. */
  async more(count: number): Promise<void> {
    const wanted = this.readyMs.length + count;
    await Promise.race([
      this.#done,
      until(90_000, `${count} more deploys`, () => this.readyMs.length >= wanted),
    ]);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }
}

interface Trouble {
  readonly name: string;
  /** Does harm, waits, and mends it. */
  run(cluster: SeveralCluster, deployer: Deployer): Promise<void>;
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The daemons of a host. */
function daemonsOn(host: string): string[] {
  return host.startsWith("control-") ? [host, host.replace("control", "nats")] : [host];
}

function killed(what: string, daemons: (cluster: SeveralCluster) => Promise<string[]>): Trouble {
  return {
    name: `${what} killed`,
    async run(cluster, deployer) {
      const names = await daemons(cluster);
      await Promise.all(names.map((name) => cluster.daemon(name).kill()));
      await deployer.more(2);
      await Promise.all(names.map((name) => cluster.daemon(name).start()));
    },
  };
}

function frozen(what: string, daemons: (cluster: SeveralCluster) => Promise<string[]>): Trouble {
  return {
    name: `${what} frozen`,
    async run(cluster, deployer) {
      const pids = (await daemons(cluster)).map((name) => cluster.daemon(name).pid);
      for (const pid of pids) kill(pid, "SIGSTOP");
      try {
        await Promise.all([deployer.more(1), rest(OUT_MS)]);
      } finally {
        for (const pid of pids) kill(pid, "SIGCONT");
      }
      await deployer.more(1);
    },
  };
}

function cutOff(what: string, host: (cluster: SeveralCluster) => Promise<string>): Trouble {
  return {
    name: `${what} cut off`,
    async run(cluster, deployer) {
      {
        await using _fault = await cluster.network.host(await host(cluster)).cut();
        await Promise.all([deployer.more(1), rest(OUT_MS)]);
      }
      await deployer.more(1);
    },
  };
}

async function leading(cluster: SeveralCluster): Promise<string> {
  let leader: string | null = null;
  await until(30_000, "a conductor leads", async () => (leader = await cluster.leader()) !== null);
  return leader!;
}

const leader = async (cluster: SeveralCluster) => [await leading(cluster)];
const leadersHost = async (cluster: SeveralCluster) => daemonsOn(await leading(cluster));
const only = (...names: string[]) => () => Promise.resolve(names);

const WORST: readonly Trouble[] = [
  killed("the conductor that leads", leader),
  frozen("the conductor that leads", leader),
  cutOff("the host of the conductor that leads", leading),
  killed("tower-1", only("tower-1")),
  frozen("tower-2", only("tower-2")),
];

const EVERYTHING: readonly Trouble[] = [
  ...WORST,
  killed("the host of the conductor that leads", leadersHost),
  frozen("the host of the conductor that leads", leadersHost),
  ...[...CONTROLS, ...TOWERS, ...NODES, ...EDGES].flatMap((host) => [
    ...daemonsOn(host).flatMap((name) => [
      killed(name, only(name)),
      frozen(name, only(name)),
    ]),
    cutOff(host, () => Promise.resolve(host)),
  ]),
];

Deno.test({
  name:
    "no single point: whatever is killed, frozen or cut off, no request fails and deploys go on",
  ignore: why !== null,
  async fn(t) {
    await using cluster = await SeveralCluster.start();
    try {
      const deployer = new Deployer(cluster);
      await deployer.more(1);
      for (const trouble of ALL ? EVERYTHING : WORST) {
        const isFine = await t.step(trouble.name, async () => {
          const before = deployer.readyMs.length;
          const beganMs = performance.now();
          const { answered, failed, slowestMs } = await cluster.client.load(
            cluster.urls,
            LOOPS,
            () => trouble.run(cluster, deployer),
          );
          const times = deployer.readyMs.slice(before).map((ms) => Math.round(ms - beganMs));
          console.log(
            `${trouble.name}: ${answered} answered, ${failed.length} failed, slowest ${slowestMs} ` +
              `ms; deploys ready after ${times.join(", ")} ms`,
          );
          assertEquals(failed, []);
          assert(answered > 0);
        });
        if (!isFine) break;
      }
      await deployer.stop();
      await t.step("all is as signed", async () => {
        await until(30_000, "the app is whole", async () => {
          const { state, ready } = await cluster.app(APP);
          return state === "ready" && ready === REPLICAS &&
            (await cluster.processes()).length === REPLICAS;
        });
      });
    } catch (error) {
      console.log(cluster.lastWords());
      throw error;
    }
  },
});
