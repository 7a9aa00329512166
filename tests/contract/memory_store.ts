import { Failure } from "../../core/errors.ts";
import { EMPTY_HEAD, type Entry, type Head, type Lease, type SharedStore } from "../../core/log.ts";

/** What a memory store keeps; several stores over one of these are several openings of it. */
export interface Memory {
  readonly entries: Entry[];
  snapshot: { readonly head: Head; readonly state: string } | null;
  lease?: Lease;
  /** Whoever wants to hear of new entries. */
  readonly watchers?: Set<() => void>;
}

/** A log in memory, for simulations. */
export class MemoryStore implements SharedStore {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  append(entry: Entry): Promise<void> {
    const { entries } = this.#memory;
    if (entry.sequence !== entries.length + 1) {
      const text = `entry ${entry.sequence} cannot follow ${entries.length}`;
      return Promise.reject(new Failure("store-conflict", text));
    }
    entries.push(structuredClone(entry));
    for (const changed of this.#memory.watchers ?? []) changed();
    return Promise.resolve();
  }

  read(sequence: number, limit: number): Promise<Entry[]> {
    return Promise.resolve(structuredClone(this.#memory.entries.slice(sequence, sequence + limit)));
  }

  head(): Promise<Head> {
    const last = this.#memory.entries.at(-1);
    return Promise.resolve(last ? { sequence: last.sequence, hash: last.hash } : EMPTY_HEAD);
  }

  saveSnapshot(head: Head, state: string): Promise<void> {
    this.#memory.snapshot = { head, state };
    return Promise.resolve();
  }

  loadSnapshot(): Promise<{ readonly head: Head; readonly state: string } | null> {
    return Promise.resolve(this.#memory.snapshot);
  }

  lease(): Promise<Lease | null> {
    return Promise.resolve(this.#memory.lease ?? null);
  }

  swapLease(revision: number, holder: string | null): Promise<number | null> {
    const last = this.#memory.lease?.revision ?? 0;
    if (revision !== last) return Promise.resolve(null);
    this.#memory.lease = { revision: last + 1, holder };
    return Promise.resolve(last + 1);
  }

  watch(changed: () => void): Disposable {
    this.#memory.watchers?.add(changed);
    return { [Symbol.dispose]: () => void this.#memory.watchers?.delete(changed) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
