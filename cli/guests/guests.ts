// Machines of QEMU on a bridge in a network namespace of their own. Needs root.

import { Failure } from "../../core/errors.ts";
import type { JoinRole } from "../../core/seal/member.ts";
import type { Kernel } from "./initramfs.ts";

export interface Guest {
  readonly name: string;
  readonly ip: string;
  readonly memoryMb: number;
  readonly daemons: readonly ("conductor" | JoinRole)[];
  /** Of a node: what it announces; an emulated processor is none that could be counted on. */
  readonly cores?: number;
}

export const NETWORK = "10.10.0.0/24";
export const CONDUCTOR = "10.10.0.10";
const PROCESSORS = 2;
/** The bridge's own address: where whoever looks at the guests stands. */
const HERE = "10.10.0.1";

/** What the replicas of all nodes need. */
export interface Needs {
  readonly cores: number;
  readonly ramMb: number;
}

/** What a guest's own programs take: its file system is in memory, too. */
const OWN_MB = 1_024;
/** So much room that placement by volumes, which is uneven, finds a place. */
const SPARE = 1.5;

/** The conductor's machine, with tower and ingress, and so many nodes that hold what is needed. */
export function guestsOf(nodes: number, needs: Needs): readonly Guest[] {
  const share = (of: number) => nodes === 1 ? of : of * SPARE / nodes;
  return [
    {
      name: "conductor",
      ip: CONDUCTOR,
      memoryMb: 1_536,
      daemons: ["conductor", "tower", "ingress"],
    },
    ...Array.from({ length: nodes }, (_, index): Guest => ({
      name: `node-${index + 1}`,
      ip: `10.10.0.${11 + index}`,
      memoryMb: OWN_MB + Math.ceil(share(needs.ramMb)),
      daemons: ["node"],
      cores: Math.max(PROCESSORS, Math.ceil(share(needs.cores))),
    })),
  ];
}

/** @throws {Failure} `guests` if it fails, `missing` where it is not installed. */
async function command(program: string, ...args: string[]): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Failure("missing", `${program} is not installed`);
  }
  const { success, stdout, stderr } = output;
  if (success) return new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr).trim();
  throw new Failure("guests", `${program} ${args.join(" ")}: ${said}`);
}

/** Whether KVM not only is there but runs a machine; it may be neither in a container. */
export async function kvmWorks(kernel: Kernel): Promise<boolean> {
  try {
    (await Deno.open("/dev/kvm", { read: true, write: true })).close();
  } catch {
    return false;
  }
  const child = new Deno.Command(`qemu-system-${Deno.build.arch}`, {
    args: [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-m", "64", "-no-reboot"],
      ...["-accel", "kvm", "-cpu", "host", "-kernel", kernel.path, "-append", "panic=-1"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 4_000);
  const { signal, code } = await child.status;
  clearTimeout(timer);
  // It panics without a root and ends in peace, or is still on its way: either way it ran.
  return signal === "SIGKILL" || code === 0;
}

/** Appends whatever a stream says to a file. */
async function keep(stream: ReadableStream<Uint8Array>, path: string): Promise<void> {
  for await (const chunk of stream) await Deno.writeFile(path, chunk, { append: true });
}

const NAMESPACE = "skr8tr-guests-";

/** Ends all that runs in a namespace, and takes it away with all that is in it. */
async function removeNamespace(name: string): Promise<void> {
  for (;;) {
    const pids = (await command("ip", "netns", "pids", name)).split("\n").filter(Boolean);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await command("ip", "netns", "delete", name);
}

/** What a run left that was killed before it could clean up. */
async function sweep(): Promise<void> {
  for (const line of (await command("ip", "netns", "list")).split("\n")) {
    const name = line.split(" ")[0]!;
    if (!name.startsWith(NAMESPACE)) continue;
    try {
      await Deno.stat(`/proc/${name.slice(NAMESPACE.length)}`);
    } catch {
      await removeNamespace(name);
    }
  }
}

export class GuestNetwork implements AsyncDisposable {
  readonly #machines: { readonly guest: Guest; readonly process: Deno.ChildProcess }[] = [];

  readonly #failed = Promise.withResolvers<never>();
  #removing = false;

  private constructor(readonly namespace: string) {
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with a `Failure` when a machine ends by itself, such as one whose kernel panics. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  async #ended({ name }: Guest, log: string): Promise<void> {
    if (this.#removing) return;
    const lines = (await Deno.readTextFile(log)).trim().split("\n").slice(-5);
    const said = lines.map((line) => `\n  | ${line.trim()}`).join("");
    this.#failed.reject(
      new Failure("guests", `the machine ${name} has ended; its console (${log}):${said}`),
    );
  }

  static async make(): Promise<GuestNetwork> {
    await sweep();
    const network = new GuestNetwork(`${NAMESPACE}${Deno.pid}`);
    await command("ip", "netns", "add", network.namespace);
    try {
      await network.#ip("link", "set", "lo", "up");
      await network.#ip("link", "add", "br0", "type", "bridge");
      await network.#ip("address", "add", `${HERE}/24`, "dev", "br0");
      await network.#ip("link", "set", "br0", "up");
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  #ip(...words: string[]): Promise<string> {
    return command("ip", "-n", this.namespace, ...words);
  }

  /** Starts a machine; its console goes to a file. */
  async start(
    guest: Guest,
    index: number,
    image: { readonly kernel: string; readonly initrd: string },
    kvm: boolean,
    log: string,
  ): Promise<void> {
    const tap = `tap${index}`;
    await this.#ip("tuntap", "add", tap, "mode", "tap");
    await this.#ip("link", "set", tap, "master", "br0", "up");
    const mac = `52:54:00:0a:0a:${(10 + index).toString(16).padStart(2, "0")}`;
    const words = [
      // On a busy machine an emulated timer is late, which the kernel would take for a broken one.
      ...[
        "console=ttyS0",
        "quiet",
        "panic=-1",
        "no_timer_check",
        `guest=${guest.name}`,
        `ip=${guest.ip}`,
      ],
      ...[`conductor=${CONDUCTOR}`, `network=${NETWORK}`],
      ...(guest.cores === undefined ? [] : [`cores=${guest.cores}`]),
    ];
    const accel = kvm
      ? ["-accel", "kvm", "-cpu", "host"]
      : ["-accel", "tcg,thread=multi", "-cpu", "max"];
    await Deno.writeTextFile(log, "");
    const process = new Deno.Command("ip", {
      args: [
        ...["netns", "exec", this.namespace, `qemu-system-${Deno.build.arch}`],
        ...["-name", guest.name, "-nodefaults", "-no-user-config", "-display", "none"],
        ...["-no-reboot", "-smp", String(PROCESSORS), "-m", `${guest.memoryMb}M`, ...accel],
        ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", words.join(" ")],
        ...["-serial", "stdio", "-device", "virtio-rng-pci"],
        ...["-netdev", `tap,id=net,ifname=${tap},script=no,downscript=no`],
        ...["-device", `virtio-net-pci,netdev=net,mac=${mac}`],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#machines.push({ guest, process });
    process.status.then(() => this.#ended(guest, log));
    keep(process.stdout, log);
    keep(process.stderr, log);
  }

  /** A program that sees the guests, as it is run in their network. */
  inside(program: string, ...args: string[]): readonly [string, readonly string[]] {
    return ["ip", ["netns", "exec", this.namespace, program, ...args]];
  }

  /** The most memory that each machine took of this one, MB. */
  memory(): Promise<(readonly [string, number])[]> {
    return Promise.all(this.#machines.map(async ({ guest, process }) => {
      const status = await Deno.readTextFile(`/proc/${process.pid}/status`);
      return [
        guest.name,
        Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1_000),
      ] as const;
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#removing = true;
    await removeNamespace(this.namespace);
    await Promise.all(this.#machines.map(({ process }) => process.status));
  }
}
