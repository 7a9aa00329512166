// Signed requests that a node carries out at once: who signed them, and that each is done once.

import { parseOperatorCommand } from "../../core/command.ts";
import { base64ToText } from "../../core/bytes.ts";
import { NODE_OPEN_MS } from "../../core/limits.ts";
import { now } from "../../core/live/clock.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { inTime, replayKey } from "../../core/signed.ts";
import { parseDetails, type StreamDetails } from "../../core/stream/details.ts";
import { parseSigned, UNAUTHORIZED } from "../../core/wire.ts";
import type { NodeMachine } from "../machine.ts";
import type { LaunchPlan } from "../plan.ts";
import type { DoneMarks } from "./done_marks.ts";

/** Why a request is not carried out; or, of an EXEC, what it printed. */
export interface Answer {
  /** 425: it was signed before this start of the daemon; signed again it is taken. */
  readonly status: 200 | 400 | 403 | 404 | 425 | 429 | 500;
  readonly text: string;
}

/** A stream that an operator may have to a replica here. */
export interface OpenedStream {
  readonly details: StreamDetails;
  readonly app: string;
  readonly replica: string;
  readonly plan: LaunchPlan;
  /** Whether its operator is an admin there. */
  readonly isAdmin: boolean;
  /** What was signed. */
  readonly text: string;
}

const REFUSED: Answer = { status: 403, text: UNAUTHORIZED };
const AGAIN: Answer = {
  status: 425,
  text: "this node was started after that was signed, and cannot know whether it did it before: " +
    "sign it again",
};

/** An EXEC that may be run. */
interface Exec {
  readonly replica: string;
  readonly plan: LaunchPlan;
  readonly command: string;
}

/**
 * Whoever carries a request, conductor or not, has no say in it: this node checks the signature, the
 * time, the operator's role, and that it has not done this very request before.
 */
export class SignedRequests {
  constructor(
    private readonly node: {
      readonly machine: NodeMachine;
      readonly verifier: Verifier;
      readonly done: DoneMarks;
    },
  ) {}

  /** Reads a signed EXEC for a replica. */
  async exec(replicaId: string, body: string): Promise<Exec | Answer> {
    const taken = await this.#take(body);
    if ("status" in taken) return taken;
    const { command, signer } = taken;
    if (command.verb !== "EXEC") return { status: 400, text: "only EXEC is run here" };
    const found = this.#replicaFor(replicaId, command.app, signer);
    if ("status" in found) return found;
    return { ...found, command: command.command };
  }

  /**
   * Says whether a stream may begin, by the signed OPEN that must come first in it: signed now, by an
   * operator who may run commands there, once, for a replica that runs here, and written down in the
   * log, so that no stream leaves no trace.
   */
  async open(body: string): Promise<OpenedStream | Answer> {
    const taken = await this.#take(body);
    if ("status" in taken) return taken;
    const { command, signer, text } = taken;
    if (command.verb !== "OPEN") return REFUSED;
    const found = this.#replicaFor(command.replica, command.app, signer);
    if ("status" in found) return found;
    const details = parseDetails(
      command.kind as StreamDetails["kind"],
      base64ToText(command.details) ?? "",
    );
    if (details === null) {
      return { status: 400, text: `the details of this ${command.kind} cannot be read` };
    }
    const { machine } = this.node;
    const endMs = performance.now() + NODE_OPEN_MS;
    while (!machine.roster.isOpen && !machine.hasOpened(text)) {
      if (performance.now() > endMs) {
        return { status: 403, text: "the log does not have this request: send it there first" };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const isAdmin = this.#whyNot("admin", command.app, found.replica, signer) === null;
    return { details, app: command.app, ...found, isAdmin, text };
  }

  /** Takes a request that is signed well, in time and for the first time; it is used up by that. */
  async #take(body: string) {
    const signed = parseSigned(body);
    if (!signed || !inTime(signed, now().wallMs)) return REFUSED;
    const signer = await this.#signer(signed.text, signed.signatureHex);
    if (signer === null) return REFUSED;
    const { done } = this.node;
    const mark = replayKey(signed, signer);
    const known = done.look(mark, signed.unixS);
    if (known === "unknown") return AGAIN;
    if (known === "done") return REFUSED;
    const command = parseOperatorCommand(signed.command);
    if ("error" in command) return { status: 400, text: command.error } as const;
    try {
      done.add(mark, signed.unixS);
    } catch (error) {
      return { status: 429, text: (error as Error).message } as const;
    }
    return { command, signer, text: signed.text };
  }

  #replicaFor(id: string, app: string, signer: string) {
    const replica = this.node.machine.replicas.get(id);
    if (this.#whyNot("exec", app, id, signer) !== null) return REFUSED;
    if (!replica?.plan || replica.app !== app || replica.pid === undefined) {
      return { status: 404, text: `${id} of ${app} does not run here` } as const;
    }
    return { replica: replica.id, plan: replica.plan };
  }

  #whyNot(role: "exec" | "admin", app: string, replica: string, signer: string): string | null {
    const { machine } = this.node;
    const namespace = machine.replicas.get(replica)?.spec?.namespace ?? "";
    const nowS = now().wallMs / 1000;
    return machine.roster.whyNot(Infinity, signer, role, { namespace, app }, nowS);
  }

  async #signer(text: string, signatureHex: string): Promise<string | null> {
    const { roster } = this.node.machine;
    if (roster.isOpen) return "insecure";
    for (const { key, publicKey } of roster.keysAt(Infinity)) {
      const raw = Uint8Array.fromBase64(publicKey);
      if (await this.node.verifier.verify(raw, text, signatureHex)) return key;
    }
    return null;
  }
}
