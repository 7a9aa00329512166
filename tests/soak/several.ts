// What a soak of several conductors has besides: their store, and changes of who leads, all along.

import { kill } from "../../bench/processes.ts";
import { until, type World } from "../../bench/world.ts";
import type { Address } from "../../core/address.ts";
import { NatsCluster } from "../contract/nats_cluster.ts";

type Act = [string, () => Promise<unknown>];

export class Several implements AsyncDisposable {
  #turn = 0;

  private constructor(private readonly nats: NatsCluster) {}

  static async start(count: number): Promise<Several> {
    return new Several(await NatsCluster.start({ size: count, hostname: "127.0.44.51" }));
  }

  /** Flags of the conductors: where their store is. */
  get flags(): Record<string, readonly string[]> {
    const servers = this.nats.servers.map(({ address }) => address).join(",");
    return { conductor: [`--store=nats://${servers}/soak`] };
  }

  /** None of this ends a conductor: so what one keeps of each change shows. */
  acts(world: World): Act[] {
    return [
      ["freeze the conductor that leads", () => freezeLeader(world)],
      ["restart a server of NATS", () => this.#restartServer()],
    ];
  }

  async #restartServer(): Promise<void> {
    const server = this.nats.servers[this.#turn++ % this.nats.servers.length]!;
    await server.end("SIGTERM");
    server.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nats[Symbol.asyncDispose]();
  }
}

/** By SIGSTOP, until another leads. */
async function freezeLeader(world: World): Promise<void> {
  const { conductors, layout } = world;
  const all = [{ name: "conductor", commands: layout.conductor }, ...conductors];
  const leading = async () => {
    const asked = await Promise.all(
      all.map(async ({ name, commands }) => await leads(commands) ? [name] : []),
    );
    return asked.flat();
  };
  const [leader] = await leading();
  if (leader === undefined) throw new Error("nobody leads");
  kill(world.pidOf(leader), "SIGSTOP");
  try {
    await until("another leads", async () => (await leading()).some((name) => name !== leader));
  } finally {
    kill(world.pidOf(leader), "SIGCONT");
  }
}

async function leads({ hostname, port }: Address): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(500);
    return (await (await fetch(`http://${hostname}:${port}/leader`, { signal })).json()).leads;
  } catch {
    return false;
  }
}
