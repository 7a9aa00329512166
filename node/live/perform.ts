// Does what the node's machine wants: sends, writes files, runs programs, asks the helpers.

import { type Address, isLoopback } from "../../core/address.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { logger } from "../../core/live/log.ts";
import type { Udp } from "../../core/live/udp.ts";
import type { NodeEffect, NodeEvent } from "../effects.ts";
import type { SavedReplica } from "../saved.ts";
import type { Artifacts } from "./artifacts.ts";
import { isFree, refusalOf } from "./checks.ts";
import type { NodeFiles } from "./files.ts";
import type { Helper } from "./helper.ts";
import type { Logs } from "./logs.ts";
import type { Prober } from "./prober.ts";
import type { Processes } from "./process.ts";

/** By what effects are done, and to whom goes what comes of them. */
export interface PerformerParts {
  /** The host at which replicas listen. */
  readonly host: string;
  readonly files: NodeFiles;
  readonly artifacts: Artifacts;
  readonly processes: Processes;
  readonly prober: Prober;
  readonly helper: Helper;
  readonly verifier: Verifier;
  readonly logs: Logs;
  socketFor(to: Address): Udp;
  dispatch(event: NodeEvent): void;
  /** The log is followed anew, from the conductor that speaks from this address. */
  follow(at: Address): void;
  /** Nothing runs here any more. */
  stopped(): void;
}

const log = logger("node");

export class Performer {
  constructor(private readonly parts: PerformerParts) {}

  /** Does what the machine wants. */
  perform(effect: NodeEffect): void {
    const { dispatch, files, follow, prober, processes, socketFor, stopped } = this.parts;
    switch (effect.do) {
      case "send":
        return socketFor(effect.to).send(effect.text, effect.to);
      case "verify":
        this.#verify(effect);
        return;
      case "keep-record":
        return guard("keep a record", () => files.keepRecord(effect.record));
      case "keep-log":
        return guard("keep the log's name", () => files.keepLog(effect.log));
      case "fetch":
        return this.#fetch(effect);
      case "check-program": {
        const { app, plan, freePort } = effect;
        processes.faultOf(plan).then((fault) =>
          dispatch({ on: "checked", app, fault: fault ?? portFault(freePort, this.parts.host) })
        );
        return;
      }
      case "try-port": {
        const { replica, port } = effect;
        return dispatch({ on: "port-tried", replica, port, free: isFree(port) });
      }
      case "launch":
        return processes.launch(effect.replica, effect.instance, effect.plan, effect.saved);
      case "call-off":
        return processes.callOff(effect.replica, effect.instance);
      case "signal":
        return processes.signal(effect.replica, effect.instance, effect.signal);
      case "probe":
        return prober.probe(effect);
      case "check-owner":
        this.#checkOwner(effect);
        return;
      case "save":
        return this.#save(effect.saved);
      case "tombstone":
        return guard(
          "keep a finished id",
          () => files.keepTombstone(effect.replica, effect.wallMs),
        );
      case "follow":
        return follow(effect.at);
      case "log":
        return log[effect.level === "warning" ? "warn" : effect.level](effect.text);
      case "stopped":
        return stopped();
      default:
        return effect satisfies never;
    }
  }

  #save(saved: SavedReplica): void {
    const { files, logs, processes } = this.parts;
    guard("save a replica's state", () => files.save(saved));
    if (!saved.dropped) return;
    logs.forget(saved.replica);
    processes.forget(saved.replica);
  }

  async #verify({ record, publicKey }: Extract<NodeEffect, { do: "verify" }>): Promise<void> {
    const refusal = await refusalOf(this.parts.verifier, publicKey, record);
    this.parts.dispatch({ on: "verified", sequence: record.sequence, refusal });
  }

  #fetch(effect: Extract<NodeEffect, { do: "fetch" }>): void {
    const { artifacts, dispatch } = this.parts;
    const { replica, artifact, sources } = effect;
    const which = { replica, ...(effect.for === undefined ? {} : { for: effect.for }) };
    artifacts.get(artifact, sources).then((fetched) =>
      dispatch({ on: "fetched", ...which, ...fetched })
    );
  }

  async #checkOwner(
    { replica, instance, port }: Extract<NodeEffect, { do: "check-owner" }>,
  ): Promise<void> {
    const { dispatch, helper, host, processes } = this.parts;
    const running = processes.groupOf(replica);
    const { owner, detail } = running
      ? await helper.owner(running, host, port)
      : { owner: "unknown" as const, detail: "" };
    dispatch({ on: "owner", replica, instance, owner, detail });
  }
}

/** Several nodes share a machine only by its loopback addresses: there each has its own ports. */
function portFault(port: number | undefined, host: string): string | null {
  if (port === undefined || isFree(port, isLoopback(host) ? host : "0.0.0.0")) return null;
  return `port ${port} is fixed and held by another program there`;
}

/** Writes what the node can live without: where that fails, it says so and goes on. */
export function guard(what: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    log.error("cannot {what}: {error}", { what, error });
  }
}
