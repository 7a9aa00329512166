// What is too large for one message of NATS, in parts: bodies of entries, and the last snapshot.

import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { sha256Hex } from "../../core/bytes.ts";
import { NATS_PART_CHARACTERS, NATS_PATIENCE_MS } from "../../core/limits.ts";
import type { Head } from "../../core/log.ts";
import { integer, parseShaped, struct, text } from "../../core/shape.ts";
import { decrypt, encrypt } from "./at_rest.ts";
import { again, nothingIfMissing } from "./nats.ts";

const hex = text(64, /^[0-9a-f]{64}$/);
const snapshotShape = struct({
  sequence: integer(0, 2 ** 40),
  hash: hex,
  /** Of the state, unencrypted. */
  digest: hex,
  /** Under which subject its parts are, and how many. */
  at: text(200, /^[A-Za-z0-9._-]+$/),
  parts: integer(1, 1_000_000),
});

export class NatsParts {
  constructor(
    private readonly manager: JetStreamManager,
    private readonly client: JetStreamClient,
    private readonly name: string,
  ) {}

  static stream(name: string): string {
    return `${name}-parts`;
  }

  /** Writes a text; how many parts it has comes back. Written again it is the same. */
  async write(at: string, whole: string): Promise<number> {
    const parts = Math.max(1, Math.ceil(whole.length / NATS_PART_CHARACTERS));
    for (let part = 0; part < parts; part++) {
      const piece = whole.slice(part * NATS_PART_CHARACTERS, (part + 1) * NATS_PART_CHARACTERS);
      await again(
        () => this.client.publish(`${this.#subject(at)}.${part}`, piece),
        NATS_PATIENCE_MS,
      );
    }
    return parts;
  }

  /** Reads a text; `null` where a part is missing. */
  async read(at: string, parts: number): Promise<string | null> {
    const pieces: string[] = [];
    for (let part = 0; part < parts; part++) {
      const piece = await this.#last(`${this.#subject(at)}.${part}`);
      if (piece === null) return null;
      pieces.push(piece);
    }
    return pieces.join("");
  }

  async saveSnapshot(head: Head, state: string, key: Uint8Array | null): Promise<void> {
    const { sequence, hash } = head;
    const before = await this.#snapshot();
    const at = `snapshot.${sequence}-${hash.slice(0, 16)}-${crypto.randomUUID().slice(0, 8)}`;
    const sealed = key === null ? state : encrypt(key, state, `${sequence} ${hash}`);
    const parts = await this.write(at, sealed);
    const pointer = { sequence, hash, digest: sha256Hex(state), at, parts };
    await again(
      () => this.client.publish(this.#subject("newest"), JSON.stringify(pointer)),
      NATS_PATIENCE_MS,
    );
    if (before) {
      const filter = `${this.#subject(before.at)}.>`;
      await this.manager.streams.purge(NatsParts.stream(this.name), { filter });
    }
  }

  async loadSnapshot(key: Uint8Array | null) {
    const found = await this.#snapshot();
    const sealed = found && await this.read(found.at, found.parts);
    if (!found || sealed === null) return null;
    const { sequence, hash, digest } = found;
    const state = decrypt(key, sealed, `${sequence} ${hash}`);
    if (state === null || sha256Hex(state) !== digest) return null;
    return { head: { sequence, hash }, state };
  }

  async #snapshot() {
    const pointer = await this.#last(this.#subject("newest"));
    return pointer === null ? null : parseShaped(snapshotShape, pointer);
  }

  async #last(subject: string): Promise<string | null> {
    const { streams } = this.manager;
    const message = await again(
      () => streams.getMessage(NatsParts.stream(this.name), { last_by_subj: subject }),
      NATS_PATIENCE_MS,
    ).catch(nothingIfMissing);
    return message?.string() ?? null;
  }

  #subject(at: string): string {
    return `${this.name}.part.${at}`;
  }
}
