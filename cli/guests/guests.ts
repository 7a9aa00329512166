// Machines of QEMU on a bridge in a network namespace of their own. Needs root.

import { Failure } from "../../core/errors.ts";
import type { Kernel } from "./initramfs.ts";

export interface Guest {
  readonly name: string;
  readonly ip: string;
  readonly memoryMb: number;
}

export const NETWORK = "10.10.0.0/24";
export const CONDUCTOR = "10.10.0.10";
/** The bridge's own address: where whoever looks at the guests stands. */
const HERE = "10.10.0.1";

/** The conductor's machine, with tower and ingress, and so many nodes. */
export function guestsOf(nodes: number): readonly Guest[] {
  return [
    { name: "conductor", ip: CONDUCTOR, memoryMb: 1_536 },
    ...Array.from({ length: nodes }, (_, index) => ({
      name: `node-${index + 1}`,
      ip: `10.10.0.${11 + index}`,
      memoryMb: 2_560,
    })),
  ];
}

async function command(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
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

export class GuestNetwork implements AsyncDisposable {
  readonly #machines: Deno.ChildProcess[] = [];

  private constructor(readonly namespace: string) {}

  static async make(): Promise<GuestNetwork> {
    const network = new GuestNetwork(`skr8tr-guests-${Deno.pid}`);
    await command("ip", "netns", "add", network.namespace);
    await network.#ip("link", "set", "lo", "up");
    await network.#ip("link", "add", "br0", "type", "bridge");
    await network.#ip("address", "add", `${HERE}/24`, "dev", "br0");
    await network.#ip("link", "set", "br0", "up");
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
    mesh: string,
    log: string,
  ): Promise<void> {
    const tap = `tap${index}`;
    await this.#ip("tuntap", "add", tap, "mode", "tap");
    await this.#ip("link", "set", tap, "master", "br0", "up");
    const mac = `52:54:00:0a:0a:${(10 + index).toString(16).padStart(2, "0")}`;
    const words = [
      ...["console=ttyS0", "quiet", "panic=-1", `guest=${guest.name}`, `ip=${guest.ip}`],
      ...[`conductor=${CONDUCTOR}`, `network=${NETWORK}`, `mesh=${mesh}`],
    ];
    const accel = kvm
      ? ["-accel", "kvm", "-cpu", "host"]
      : ["-accel", "tcg,thread=multi", "-cpu", "max"];
    await Deno.writeTextFile(log, "");
    const child = new Deno.Command("ip", {
      args: [
        ...["netns", "exec", this.namespace, `qemu-system-${Deno.build.arch}`],
        ...["-name", guest.name, "-nodefaults", "-no-user-config", "-display", "none"],
        ...["-no-reboot", "-smp", "2", "-m", `${guest.memoryMb}M`, ...accel],
        ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", words.join(" ")],
        ...["-serial", "stdio", "-device", "virtio-rng-pci"],
        ...["-netdev", `tap,id=net,ifname=${tap},script=no,downscript=no`],
        ...["-device", `virtio-net-pci,netdev=net,mac=${mac}`],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#machines.push(child);
    keep(child.stdout, log);
    keep(child.stderr, log);
  }

  /** A program that sees the guests, as it is run in their network. */
  inside(program: string, ...args: string[]): readonly [string, readonly string[]] {
    return ["ip", ["netns", "exec", this.namespace, program, ...args]];
  }

  #gone: Promise<void> | null = null;

  /** Ends every machine and takes the namespace away, with all that is in it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#gone ??= this.#remove();
  }

  async #remove(): Promise<void> {
    for (const machine of this.#machines) {
      try {
        machine.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await Promise.all(this.#machines.map((machine) => machine.status));
    await command("ip", "netns", "delete", this.namespace);
  }
}
