// Runs a virtual machine as a program of its own: `deno run ... vm.ts HOME PLAN`, with the plan of
// node/vm.ts as JSON. The machine's console is its output; told to end, it presses the power button.

import { VM_CONFIG, VM_SOCKET, type VmPlan } from "../vm.ts";

/** A machine that ends this early with KVM is started again without, in ms. */
const KVM_TRIAL_MS = 5_000;
const PANIC = "Kernel panic - not syncing";
/** Of the console, so much is searched for a panic at its end, in characters. */
const KEPT = 65_536;

interface Ended {
  readonly status: Deno.CommandStatus;
  readonly console: string;
  readonly ms: number;
}

class Machine {
  #child: Deno.ChildProcess | null = null;
  #told = false;

  constructor(private readonly plan: VmPlan) {}

  /** Runs it to its end; the exit code comes back. */
  async run(): Promise<number> {
    const { hypervisor, args, config } = this.plan;
    if (config !== undefined) await Deno.writeTextFile(VM_CONFIG, JSON.stringify(config));
    if (hypervisor === "firecracker") return codeOf(await this.#start(args));
    if (await hasKvm()) {
      const ended = await this.#start(["-accel", "kvm", "-cpu", "host", ...args]);
      const broken = ended.status.signal !== null && ended.ms < KVM_TRIAL_MS && !this.#told;
      if (!broken) return codeOf(ended);
      console.error("KVM does not work here: the machine is emulated");
    }
    return codeOf(await this.#start(["-accel", "tcg", "-cpu", "max", ...args]));
  }

  async #start(args: readonly string[]): Promise<Ended> {
    await Deno.remove(VM_SOCKET).catch(() => {});
    const began = performance.now();
    // A group of its own, so that a signal to this one does not pull its plug; and it must not
    // outlive this process, whatever ends that.
    const child = new Deno.Command("setpriv", {
      args: ["--pdeathsig", "KILL", this.plan.program, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
      detached: true,
    }).spawn();
    this.#child = child;
    if (this.#told) this.#press();
    let console = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      for (let at = 0; at < chunk.length;) at += Deno.stdout.writeSync(chunk.subarray(at));
      console = (console + decoder.decode(chunk, { stream: true })).slice(-KEPT);
    }
    return { status: await child.status, console, ms: performance.now() - began };
  }

  /** Asks the machine to end. */
  powerDown(): void {
    if (this.#told) return;
    this.#told = true;
    if (this.#child) this.#press();
  }

  #press(): void {
    const press = this.plan.hypervisor === "qemu" ? pressByQmp : pressByApi;
    press().catch((error) => {
      console.error(`cannot press the power button: ${(error as Error).message}`);
      this.#child?.kill("SIGTERM");
    });
  }
}

/** A machine that panicked has failed, though its hypervisor ends in peace. */
function codeOf({ status, console: text }: Ended): number {
  if (text.includes(PANIC)) {
    console.error("its kernel panicked");
    return status.code === 0 ? 1 : status.code;
  }
  return status.code;
}

async function hasKvm(): Promise<boolean> {
  try {
    (await Deno.open("/dev/kvm", { read: true, write: true })).close();
    return true;
  } catch {
    return false;
  }
}

/** Talks to a hypervisor's socket, which may still have to appear. */
async function dial(): Promise<Deno.UnixConn> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path: VM_SOCKET });
    } catch (error) {
      if (tries >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function say(socket: Deno.UnixConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

async function pressByQmp(): Promise<void> {
  using socket = await dial();
  const buffer = new Uint8Array(4_096);
  await socket.read(buffer);
  await say(socket, '{"execute":"qmp_capabilities"}\n');
  await socket.read(buffer);
  await say(socket, '{"execute":"system_powerdown"}\n');
  await socket.read(buffer);
}

async function pressByApi(): Promise<void> {
  using socket = await dial();
  const body = '{"action_type":"SendCtrlAltDel"}';
  await say(
    socket,
    "PUT /actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  const buffer = new Uint8Array(4_096);
  const answer = new TextDecoder().decode(buffer.subarray(0, await socket.read(buffer) ?? 0));
  // Only machines of x86-64 have the keys.
  if (!/^HTTP\/1\.1 2/.test(answer)) {
    throw new Error(`firecracker says: ${answer.split("\r\n\r\n").at(-1)?.trim() || "nothing"}`);
  }
}

if (import.meta.main) {
  const [home = ".", plan = "{}"] = Deno.args;
  Deno.chdir(home);
  const machine = new Machine(JSON.parse(plan) as VmPlan);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => machine.powerDown());
  }
  Deno.exit(await machine.run());
}
