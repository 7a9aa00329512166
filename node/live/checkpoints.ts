// What the conductor signs about its log, as it comes to a node: kept only if it is the conductor
// that this node was let in by that has signed it.

import { type Checkpoint, checkpointText } from "../../core/audit.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { logger } from "../../core/live/log.ts";
import { fingerprintOf } from "../../core/roster.ts";

export interface CheckpointParts {
  readonly verifier: Pick<Verifier, "verify">;
  /** The conductor's identity; `null` where the mesh is open, and nobody is pinned. */
  conductor(): string | null;
  keep(checkpoint: Checkpoint): void;
}

export class CheckpointKeeper {
  #refused = false;

  constructor(private readonly parts: CheckpointParts) {}

  async take(checkpoint: Checkpoint): Promise<void> {
    const { log, sequence, hash, wallMs, publicKey, signatureHex } = checkpoint;
    const why = await this.#whyNot(checkpoint);
    if (why === null) {
      return this.parts.keep({ log, sequence, hash, wallMs, publicKey, signatureHex });
    }
    if (this.#refused) return;
    this.#refused = true;
    logger("audit").error("a checkpoint of the log at {sequence} is not kept: {why}", {
      sequence,
      why,
    });
  }

  async #whyNot(checkpoint: Checkpoint): Promise<string | null> {
    const signer = fingerprintOf(checkpoint.publicKey);
    const conductor = this.parts.conductor();
    if (signer === null) return "its key is none";
    if (conductor !== null && signer !== conductor) {
      return "it is not by the conductor that this node was let in by";
    }
    const key = Uint8Array.fromBase64(checkpoint.publicKey);
    const text = checkpointText(checkpoint);
    const isSigned = await this.parts.verifier.verify(key, text, checkpoint.signatureHex);
    return isSigned ? null : "its signature is wrong";
  }
}
