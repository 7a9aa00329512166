// What the machine wants found out in the world: who signed, what a file says, what a node answers.

import type { Verifier } from "../../core/live/crypto.ts";
import { now } from "../../core/live/clock.ts";
import type { ConductorEffect, ConductorEvent } from "../effects.ts";
import type { ConductorMachine } from "../machine.ts";
import { lastLines } from "./logs.ts";
import { repeatingKeys } from "../answered.ts";
import { type KeyRing, signerOf } from "./open.ts";
import { byteLength, type Replies } from "./replies.ts";
import { askNode, type ConductorSeal } from "./seal.ts";

/** By what errands are run, and to whom goes what comes of them. */
export interface ErrandsParts {
  readonly machine: ConductorMachine;
  readonly verifier: Verifier;
  /** `null`: anybody's signature counts. */
  readonly keys: KeyRing | null;
  /** Folder below which v1 commands may name manifests. */
  readonly manifests: string | undefined;
  readonly replies: Replies;
  seal(): ConductorSeal | undefined;
  step(event: ConductorEvent): void;
}

export class Errands {
  constructor(private readonly parts: ErrandsParts) {}

  /** Finds out who signed a text. */
  async verify(effect: Extract<ConductorEffect, { do: "verify" }>): Promise<void> {
    const { id, text, signatureHex } = effect;
    const key = await signerOf(this.parts.keys, this.parts.verifier, text, signatureHex) ??
      await this.#repeaterOf(text, signatureHex);
    this.parts.step({ on: "verified", id, key });
  }

  /** Whose key it was, where it is nobody's any more and may only ask what became of a command. */
  async #repeaterOf(text: string, signatureHex: string): Promise<string | null> {
    for (const { key, publicKey } of repeatingKeys(this.parts.machine.state)) {
      const raw = Uint8Array.fromBase64(publicKey);
      if (await this.parts.verifier.verify(raw, text, signatureHex)) return key;
    }
    return null;
  }

  /** Reads a manifest that a v1 command names, if it is where such may be. */
  async readManifest(effect: Extract<ConductorEffect, { do: "read-manifest" }>): Promise<void> {
    const { id, path } = effect;
    try {
      const folder = await Deno.realPath(this.parts.manifests ?? "/nonexistent");
      const file = await Deno.realPath(path);
      if (!file.startsWith(`${folder}/`)) throw new Error(`it lies outside ${folder}`);
      this.parts.step({ on: "manifest-read", id, text: await Deno.readTextFile(file) });
    } catch (error) {
      const why = `cannot read ${path}: ${(error as Error).message}`;
      this.parts.step({ on: "manifest-unreadable", id, error: why });
    }
  }

  /** Answers a v1 LOGS. */
  async logs(effect: Extract<ConductorEffect, { do: "logs" }>): Promise<void> {
    let lines = await lastLines(this.parts.machine, effect.app, 200, now, this.parts.seal());
    const format = () => `OK|LOGS|${effect.app}|${lines.length}|${lines.join("\n")}`;
    // Cut to fit, newest lines kept.
    while (lines.length > 1 && byteLength(format()) > 16_384) {
      lines = lines.slice(Math.max(1, lines.length >> 3));
    }
    this.parts.replies.answer(effect.to, format());
  }

  /** Has a signed EXEC run by the replica's node, and answers with its output. */
  async exec(effect: Extract<ConductorEffect, { do: "exec" }>): Promise<void> {
    const { app, node, replica, signed } = effect;
    try {
      const response = await askNode(this.parts.seal(), node, `/exec/${replica}`, {
        method: "POST",
        body: signed,
        signal: AbortSignal.timeout(60_000),
      });
      const output = await response.text();
      this.parts.replies.answer(
        effect.to,
        response.ok ? `OK|EXEC|${app}|${output}` : `ERR|EXEC failed: ${output}`,
      );
    } catch (error) {
      this.parts.replies.answer(effect.to, `ERR|EXEC failed: ${(error as Error).message}`);
    }
  }
}
