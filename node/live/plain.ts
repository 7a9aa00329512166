// Plain v1 commands on the node's UDP port: who may speak, and LOGS and EXEC, which need the disk
// and a shell. The rest is the machine's (plain.ts).

import { type Address, inNetworks, isLoopback } from "../../core/address.ts";
import { DATAGRAM_BYTES, EXEC_MS, EXEC_OUTPUT_BYTES } from "../../core/limits.ts";
import type { Udp } from "../../core/live/udp.ts";
import { parseNodeCommand } from "../../core/wire.ts";
import type { NodeEvent } from "../effects.ts";
import type { NodeMachine } from "../machine.ts";
import type { Logs } from "./logs.ts";
import type { Processes } from "./process.ts";

const LOG_LINES = 200;

export class PlainLive {
  /** Commands that came from where none may come, or that may not be answered. */
  readonly counters = { answered: 0, ignored: 0 };

  constructor(
    private readonly node: {
      readonly options: { readonly plain: readonly string[]; readonly open: boolean };
      readonly machine: NodeMachine;
      readonly udp: Udp;
      readonly logs: Logs;
      readonly processes: Processes;
      dispatch(event: NodeEvent): void;
    },
  ) {}

  receive(text: string, from: Address): void {
    const { plain, open } = this.node.options;
    const near = isLoopback(from.hostname) || inNetworks(from.hostname, plain);
    const command = parseNodeCommand(text);
    const acts = !("error" in command) && ["KILL", "LAUNCH", "EXEC"].includes(command.verb);
    if (acts ? !open : !near && !open) {
      this.counters.ignored++;
      return;
    }
    this.counters.answered++;
    if (!("error" in command) && command.verb === "LOGS") this.#logs(command.app, from);
    else if (!("error" in command) && command.verb === "EXEC") {
      this.#exec(command.app, command.command, from);
    } else this.node.dispatch({ on: "plain", text, from, open });
  }

  #replicasOf(app: string): string[] {
    return [...this.node.machine.replicas.values()].filter((each) => each.app === app).map((each) =>
      each.id
    );
  }

  #logs(app: string, from: Address): void {
    const lines = this.#replicasOf(app)
      .flatMap((replica) => this.node.logs.lines(replica, LOG_LINES))
      .sort((a, b) => a.at - b.at)
      .map((each) => each.line);
    const room = DATAGRAM_BYTES - app.length - 32;
    const kept: string[] = [];
    let used = 0;
    for (const line of lines.reverse()) {
      used += new TextEncoder().encode(line).length + 1;
      if (used > room || kept.length === LOG_LINES) break;
      kept.unshift(line.replaceAll("\0", ""));
    }
    this.node.udp.send(`OK|LOGS|${app}|${kept.length}|${kept.join("\n")}`, from);
  }

  async #exec(app: string, command: string, from: Address): Promise<void> {
    const reply = (text: string) => this.node.udp.send(text, from);
    const replica = [...this.node.machine.replicas.values()].find((each) =>
      each.app === app && each.pid !== undefined && each.plan !== null
    );
    if (!replica?.plan) return reply(`ERR|not found: ${app}`);
    try {
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", `exec 2>&1\n${command}`],
        cwd: replica.plan.cwd,
        env: this.node.processes.environmentOf(replica.id, replica.plan),
        clearEnv: true,
        detached: true,
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const timer = setTimeout(() => endGroup(child.pid), EXEC_MS);
      const output = await readSome(child.stdout, EXEC_OUTPUT_BYTES);
      endGroup(child.pid);
      await child.status;
      clearTimeout(timer);
      reply(`OK|EXEC|${app}|${output.replaceAll("\0", "")}`);
    } catch (error) {
      reply(`ERR|EXEC failed: ${(error as Error).message}`);
    }
  }
}

/** The text of a stream, at most so many bytes of it. */
async function readSome(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= maxBytes) break;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(bytes.subarray(0, maxBytes));
}

function endGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
