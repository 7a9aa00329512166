// The v1 commands of a node that concern its replicas: STATUS, LAUNCH and KILL (PING with them).
// LOGS and EXEC need what only the outside has; live/plain.ts answers those.

import type { Address } from "../core/address.ts";
import { DATAGRAM_BYTES } from "../core/limits.ts";
import { fitDatagram, type Launch, parseNodeCommand } from "../core/wire.ts";
import type { NodeEffect } from "./effects.ts";
import { hasProcess, type Replica } from "./replica.ts";
import { jsonBytes } from "./text.ts";

/** What a command wants done with replicas. */
export type Wish =
  | { readonly kind: "launch"; readonly launch: Launch }
  | { readonly kind: "kill"; readonly replicas: readonly Replica[] };

/** Answers plain commands; a LAUNCH is answered when its program runs, or cannot. */
export class PlainDesk {
  readonly #waiting = new Map<string, Address>();

  constructor(
    private readonly node: string,
    private readonly emit: (effect: NodeEffect) => void,
  ) {}

  #reply(to: Address, text: string): void {
    this.emit({ do: "send", to, text: fitDatagram(text, jsonBytes) });
  }

  /**
   * Takes one command; what it wants done comes back.
   *
   * @param event `open`: commands that act are taken, too; else they are never answered
   */
  take(
    event: { readonly text: string; readonly from: Address; readonly open: boolean },
    replicas: readonly Replica[],
  ): Wish | null {
    const command = parseNodeCommand(event.text);
    if ("error" in command) {
      this.#reply(event.from, `ERR|${command.error}`);
      return null;
    }
    switch (command.verb) {
      case "PING":
        this.#reply(event.from, `OK|PONG|${this.node}`);
        return null;
      case "STATUS":
        this.#reply(event.from, statusText(replicas));
        return null;
      case "KILL":
        return event.open ? this.#kill(command.app, event.from, replicas) : null;
      case "LAUNCH":
        return event.open ? this.#launch(command.launch, event.from, replicas) : null;
      case "LOGS":
      case "EXEC":
        return null;
      default:
        return command satisfies never;
    }
  }

  #kill(app: string, from: Address, replicas: readonly Replica[]): Wish | null {
    const living = replicas.filter((each) => each.app === app && each.state.at !== "finished");
    this.#reply(from, living.length > 0 ? `OK|KILLED|${app}` : `ERR|not found: ${app}`);
    return { kind: "kill", replicas: living };
  }

  /** A repeated LAUNCH finds its replica running and launches nothing. */
  #launch(launch: Launch, from: Address, replicas: readonly Replica[]): Wish | null {
    const twin = replicas.find((each) =>
      each.launch?.name === launch.name && each.state.at !== "finished" && !each.stopOrdered
    );
    if (!twin) return { kind: "launch", launch };
    if (twin.pid === undefined) this.#waiting.set(twin.id, from);
    else this.#reply(from, `OK|LAUNCHED|${launch.name}|${twin.pid}`);
    return null;
  }

  /** The answer goes there when it is known. */
  expect(replica: string, from: Address): void {
    this.#waiting.set(replica, from);
  }

  launched(replica: Replica): void {
    const to = this.#waiting.get(replica.id);
    if (!to || replica.pid === undefined) return;
    this.#waiting.delete(replica.id);
    this.#reply(to, `OK|LAUNCHED|${replica.app}|${replica.pid}`);
  }

  /** Says whether somebody was waiting for it to run. */
  failed(replica: Replica, reason: string): boolean {
    const to = this.#waiting.get(replica.id);
    if (!to) return false;
    this.#waiting.delete(replica.id);
    const line = reason.trim().split("\n").at(-1) ?? "";
    this.#reply(to, `ERR|LAUNCH failed: ${line}`.slice(0, DATAGRAM_BYTES / 4));
    return true;
  }
}

/** `OK|STATUS|<n>|<name>:<pid>,...` of everything that has a process. */
function statusText(replicas: readonly Replica[]): string {
  const running = replicas.filter((each) => hasProcess(each.state) && each.pid !== undefined);
  return `OK|STATUS|${running.length}|${
    running.map((each) => `${each.app}:${each.pid}`).join(",")
  }`;
}
