// A network of its own for one test: a bridge and a network namespace for each host, with real
// addresses and the MTU of Ethernet. Needs root, `ip` (iproute2) and `nft` (nftables).

import { kill, until } from "./cluster_process.ts";

const PREFIX = "skr8tr-test-";
const MTU = 1500;
/** Before defragmentation, so that a rule sees every fragment. */
const BEFORE_DEFRAGMENTATION = -450;

/** Why no network can be built here; `null` where it can. */
export async function whyNoNetworks(): Promise<string | null> {
  const needs = "needs root, ip and nft";
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return needs;
  const trial = `${PREFIX}${Deno.pid}-trial`;
  try {
    await run(["ip", "netns", "add", trial]);
    await run(["ip", "netns", "exec", trial, "nft", "add", "table", "inet", "trial"]);
    return null;
  } catch (error) {
    return `${needs} (${(error as Error).message})`;
  } finally {
    await run(["ip", "netns", "del", trial]).catch(() => {});
  }
}

/** Hosts on one Ethernet. Disposing of it kills everything that runs on them and removes it all. */
export class Network implements AsyncDisposable {
  private constructor(
    /** All its addresses, a CIDR. */
    readonly cidr: string,
    readonly hosts: ReadonlyMap<string, Host>,
    private readonly bridge: string,
  ) {}

  /** @param names the hosts, each with the last number of its address. */
  static async build(names: Readonly<Record<string, number>>): Promise<Network> {
    await removeAbandoned();
    const subnet = `10.77.${crypto.getRandomValues(new Uint8Array(1))[0]}`;
    const bridge = `${PREFIX}${Deno.pid}-bridge`;
    const hosts = Object.entries(names).map(([name, number]) =>
      new Host(name, `${PREFIX}${Deno.pid}-${name}`, `${subnet}.${number}`)
    );
    const network = new Network(
      `${subnet}.0/24`,
      new Map(hosts.map((host) => [host.name, host])),
      bridge,
    );
    try {
      await network.#build(hosts);
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #build(hosts: readonly Host[]): Promise<void> {
    await batch(
      [this.bridge, ...hosts.map((host) => host.namespace)].map((namespace) =>
        `netns add ${namespace}`
      ),
    );
    await batch([
      "link add bridge type bridge",
      "link set bridge up",
      ...hosts.flatMap((host, index) => [
        `link add port${index} type veth peer name eth0 netns ${host.namespace}`,
        `link set port${index} mtu ${MTU} master bridge up`,
      ]),
    ], this.bridge);
    await Promise.all(hosts.map((host) =>
      batch([
        "link set lo up",
        `link set eth0 mtu ${MTU} up`,
        `address add ${host.address}/24 dev eth0`,
      ], host.namespace)
    ));
  }

  /** The host of this name. */
  host(name: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`there is no host ${name}`);
    return host;
  }

  /** Loses so many percent of the UDP packets that arrive anywhere, fragments counted one by one. */
  async loseUdp(percent: number): Promise<Fault> {
    const faults = await Promise.all([...this.hosts.values()].map((host) => host.loseUdp(percent)));
    return {
      packets: async () => {
        const counts = await Promise.all(faults.map((fault) => fault.packets()));
        return counts.reduce((sum, count) => sum + count, 0);
      },
      [Symbol.asyncDispose]: async () => {
        await Promise.all(faults.map((fault) => fault[Symbol.asyncDispose]()));
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeNamespaces([
      ...[...this.hosts.values()].map((host) => host.namespace),
      this.bridge,
    ]);
  }
}

/** One host: a network namespace with an address. */
export class Host {
  constructor(
    readonly name: string,
    readonly namespace: string,
    readonly address: string,
  ) {}

  /** The command line that runs this one there. The process keeps the pid that `ip` got. */
  command(words: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.namespace, ...words];
  }

  /** The processes there that run a program with this among its arguments. */
  async processes(program: string, argument: string): Promise<number[]> {
    return (await pidsIn(this.namespace)).filter((pid) => {
      const [name, ...words] = commandLine(pid);
      return name?.split("/").at(-1) === program && words.includes(argument);
    });
  }

  /** Loses so many percent of the UDP packets that arrive here. */
  async loseUdp(percent: number): Promise<Fault> {
    const rule = `ip protocol udp numgen random mod 100 < ${percent} counter drop`;
    return await this.#atArrival(rule);
  }

  /** Hears no datagram from this host at this port any more; everything else goes on. */
  async deafTo(other: Host, port: number): Promise<Fault> {
    return await this.#fault(
      "ip",
      "chain deaf { type filter hook input priority 0; " +
        `ip saddr ${other.address} udp dport ${port} counter drop; }\n`,
    );
  }

  /** Cuts the host off: nothing arrives and nothing leaves. */
  async cut(): Promise<Fault> {
    const chain = (name: string, device: string) =>
      `chain ${name} { type filter hook ${name} priority 0; ${device} != "lo" counter drop; }\n`;
    const chains = chain("input", "iifname") + chain("output", "oifname");
    return await this.#fault("inet", chains);
  }

  async #atArrival(rule: string): Promise<Fault> {
    const hook = `type filter hook prerouting priority ${BEFORE_DEFRAGMENTATION};`;
    return await this.#fault("ip", `chain arrival { ${hook} ${rule}; }\n`);
  }

  async #fault(family: string, chains: string): Promise<Fault> {
    const table = [family, "fault"];
    await run(this.command(["nft", "-f", "-"]), `table ${table.join(" ")} {\n${chains}}\n`);
    return {
      packets: async () => {
        const text = await run(this.command(["nft", "list", "table", ...table]));
        return [...text.matchAll(/counter packets ([0-9]+)/g)]
          .reduce((sum, [, packets]) => sum + Number(packets), 0);
      },
      [Symbol.asyncDispose]: async () => {
        await run(this.command(["nft", "delete", "table", ...table]));
      },
    };
  }
}

/** Something wrong with a host's network until it is disposed of; one at a time on a host. */
export interface Fault extends AsyncDisposable {
  /** How many packets it has hit. */
  packets(): Promise<number>;
}

/** Removes what test runs that were killed have left: their process is gone, their names say so. */
async function removeAbandoned(): Promise<void> {
  const list = await run(["ip", "netns", "list"]);
  const names = list.split("\n").map((line) => line.split(" ")[0]!);
  await removeNamespaces(names.filter((name) => {
    const owner = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name)?.[1];
    return owner !== undefined && Number(owner) !== Deno.pid &&
      commandLine(Number(owner)).length === 0;
  }));
}

async function removeNamespaces(names: readonly string[]): Promise<void> {
  const list = await run(["ip", "netns", "list"]);
  const there = names.filter((name) =>
    list.split("\n").some((line) => line.split(" ")[0] === name)
  );
  await until(10_000, "every process in the namespaces has ended", async () => {
    const pids = (await Promise.all(there.map(pidsIn))).flat();
    for (const pid of pids) kill(pid, "SIGKILL");
    return pids.length === 0;
  });
  await batch(there.map((name) => `netns del ${name}`));
}

async function pidsIn(namespace: string): Promise<number[]> {
  return (await run(["ip", "netns", "pids", namespace])).split("\n").filter(Boolean).map(Number);
}

/** A process's words; none where it has ended. */
function commandLine(pid: number): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

/** Runs several `ip` commands in one process. */
async function batch(lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  const where = namespace === undefined ? [] : ["-n", namespace];
  await run(["ip", ...where, "-batch", "-"], lines.join("\n") + "\n");
}

/** Runs a program to its end; its output, or an error with what it said. */
async function run(words: readonly string[], input = ""): Promise<string> {
  const child = new Deno.Command(words[0]!, {
    args: words.slice(1),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that does not read may be gone before its input is.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${words.join(" ")}: ${text(stderr).trim()}`);
  return text(stdout);
}
