// Commands that an operator runs beside a replica: in its folder, with its environment.

import { parseOperatorCommand } from "../../core/command.ts";
import { base64ToText } from "../../core/bytes.ts";
import { EXEC_MS, EXEC_OUTPUT_BYTES, NODE_OPEN_MS, SIGNED_WINDOW_S } from "../../core/limits.ts";
import { now } from "../../core/live/clock.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { inTime, replayKey } from "../../core/signed.ts";
import { parseSigned, UNAUTHORIZED } from "../../core/wire.ts";
import type { NodeMachine } from "../machine.ts";
import type { LaunchPlan } from "../plan.ts";
import type { Processes } from "./process.ts";

/** The answer to a signed EXEC: what it printed, or why it was not run. */
export interface ExecAnswer {
  readonly status: 200 | 400 | 403 | 404 | 500;
  readonly text: string;
}

/**
 * Runs what an operator has signed. The conductor only carries it: this node checks the signature,
 * the time, and that it has not run this very command before. Commands from before this start of the
 * node are refused, since what it ran then is forgotten.
 */
export class SignedExec {
  readonly #done = new Map<string, number>();
  readonly #startedS = Math.floor(now().wallMs / 1000);

  constructor(
    private readonly node: {
      readonly machine: NodeMachine;
      readonly processes: Processes;
      readonly verifier: Verifier;
    },
  ) {}

  async run(replicaId: string, body: string): Promise<ExecAnswer> {
    const signed = parseSigned(body);
    const wallMs = now().wallMs;
    if (!signed || !inTime(signed, wallMs) || signed.unixS <= this.#startedS) return REFUSED;
    const signer = await this.#signer(signed.text, signed.signatureHex);
    if (signer === null) return REFUSED;
    for (const [mark, unixS] of this.#done) {
      if (unixS >= wallMs / 1000 - 2 * SIGNED_WINDOW_S) break;
      this.#done.delete(mark);
    }
    const mark = replayKey(signed, signer);
    if (this.#done.has(mark)) return REFUSED;
    this.#done.set(mark, signed.unixS);

    const command = parseOperatorCommand(signed.command);
    if ("error" in command) return { status: 400, text: command.error };
    if (command.verb !== "EXEC") return { status: 400, text: "only EXEC is run here" };
    const replica = this.node.machine.replicas.get(replicaId);
    const reach = { namespace: replica?.spec?.namespace ?? "", app: command.app };
    const { roster } = this.node.machine;
    if (roster.whyNot(Infinity, signer, "exec", reach, wallMs / 1000) !== null) return REFUSED;
    if (!replica?.plan || replica.app !== command.app || replica.pid === undefined) {
      return { status: 404, text: `${replicaId} of ${command.app} does not run here` };
    }
    try {
      const { processes } = this.node;
      const text = await runIn(processes, replica.id, replica.plan, command.command);
      return { status: 200, text };
    } catch (error) {
      return { status: 500, text: (error as Error).message };
    }
  }

  /**
   * Says whether a stream may begin, by the signed OPEN that must come first in it: signed now, by an
   * operator who may run commands there, once, for a replica that runs here, and written down in the
   * log, so that no stream leaves no trace.
   */
  async open(body: string): Promise<OpenedStream | ExecAnswer> {
    const signed = parseSigned(body);
    const wallMs = now().wallMs;
    if (!signed || !inTime(signed, wallMs) || signed.unixS <= this.#startedS) return REFUSED;
    const signer = await this.#signer(signed.text, signed.signatureHex);
    const command = parseOperatorCommand(signed.command);
    if (signer === null || "error" in command || command.verb !== "OPEN") return REFUSED;
    const mark = replayKey(signed, signer);
    if (this.#done.has(mark)) return REFUSED;
    this.#done.set(mark, signed.unixS);
    const { machine } = this.node;
    const replica = machine.replicas.get(command.replica);
    const reach = { namespace: replica?.spec?.namespace ?? "", app: command.app };
    if (machine.roster.whyNot(Infinity, signer, "exec", reach, wallMs / 1000) !== null) {
      return REFUSED;
    }
    if (!replica?.plan || replica.app !== command.app || replica.pid === undefined) {
      return { status: 404, text: `${command.replica} of ${command.app} does not run here` };
    }
    const endMs = performance.now() + NODE_OPEN_MS;
    while (!machine.roster.isOpen && !machine.hasOpened(signed.text)) {
      if (performance.now() > endMs) {
        return { status: 403, text: "the log does not have this request: send it there first" };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { kind, details } = command;
    const text = details === "-" ? "" : base64ToText(details) ?? "";
    return {
      kind: kind as OpenedStream["kind"],
      replica: replica.id,
      plan: replica.plan,
      details: text,
    };
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

/** A stream that an operator may have to a replica here. */
export interface OpenedStream {
  readonly kind: "exec" | "copy" | "forward";
  readonly replica: string;
  readonly plan: LaunchPlan;
  /** What it is to do, as the operator signed it. */
  readonly details: string;
}

const REFUSED: ExecAnswer = { status: 403, text: UNAUTHORIZED };

/**
 * Runs a shell command in a replica's folder with its environment; at most `EXEC_MS` long.
 *
 * @returns what it printed, at most `EXEC_OUTPUT_BYTES` of it, without NUL
 */
export async function runIn(
  processes: Processes,
  replica: string,
  plan: LaunchPlan,
  command: string,
): Promise<string> {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec 2>&1\n${command}`],
    cwd: plan.cwd,
    env: processes.environmentOf(replica, plan),
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
  return output.replaceAll("\0", "");
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
