// Checkpoints: what the conductor's identity signs about its log, for nodes to keep.

import { type Checkpoint, checkpointText } from "../../core/audit.ts";
import { CHECKPOINT_ENTRIES, CHECKPOINT_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { sealKeysPath, signWithSeed } from "../../core/live/seal_keys.ts";
import type { Head } from "../../core/log.ts";

export class Checkpoints implements Disposable {
  readonly #path: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #seed: Promise<Uint8Array> | null = null;
  #head: Head | null = null;
  #signed = 0;
  #failing = false;
  /** The newest, for whoever begins to follow. */
  last: Checkpoint | null = null;

  /**
   * @param state the conductor's folder: its identity is kept there
   * @param log the log's name
   * @param tell hands a new checkpoint to the nodes
   */
  constructor(
    state: string,
    private readonly log: () => string,
    private readonly tell: (checkpoint: Checkpoint) => void,
  ) {
    this.#path = state;
    this.#timer = setInterval(() => void this.#sign(), CHECKPOINT_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** An entry is durable. */
  note(head: Head): void {
    this.#head = head;
    if (head.sequence - this.#signed >= CHECKPOINT_ENTRIES) void this.#sign();
  }

  async #sign(): Promise<void> {
    const head = this.#head;
    if (!head || head.sequence === this.#signed) return;
    this.#signed = head.sequence;
    try {
      const seed = await (this.#seed ??= openIdentity(this.#path));
      const about = { log: this.log(), ...head, wallMs: Date.now() };
      const { publicKey, signature } = await signWithSeed(seed, checkpointText(about));
      this.last = { ...about, publicKey: publicKey.toBase64(), signatureHex: signature };
      this.tell(this.last);
    } catch (error) {
      if (!this.#failing) logger("audit").error("no checkpoint: {error}", { error: String(error) });
      this.#failing = true;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The seed of the conductor's identity: of the sealed mesh where it has one, else one of its own. */
async function openIdentity(state: string): Promise<Uint8Array> {
  const path = `${state}/checkpoint.seed`;
  try {
    const file = await Deno.readTextFile(sealKeysPath(state, "conductor"));
    return Uint8Array.fromHex(JSON.parse(file).identitySeed);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const seed = crypto.getRandomValues(new Uint8Array(32));
  await Deno.writeFile(path, seed, { mode: 0o600 });
  return seed;
}
