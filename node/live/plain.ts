// Plain v1 commands on the node's UDP port: who may speak, and LOGS and EXEC, which need the disk
// and a shell. The rest is the machine's (plain.ts).

import { type Address, inNetworks, isLoopback } from "../../core/address.ts";
import { DATAGRAM_BYTES } from "../../core/limits.ts";
import type { Udp } from "../../core/live/udp.ts";
import { parseNodeCommand } from "../../core/wire.ts";
import type { NodeEvent } from "../effects.ts";
import type { NodeMachine } from "../machine.ts";
import { runIn } from "./exec.ts";
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
      const output = await runIn(this.node.processes, replica.id, replica.plan, command);
      reply(`OK|EXEC|${app}|${output}`);
    } catch (error) {
      reply(`ERR|EXEC failed: ${(error as Error).message}`);
    }
  }
}
