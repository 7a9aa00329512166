import { Failure } from "../../core/errors.ts";
import { EMPTY_HEAD, type Entry, type Head, type LogStore } from "../../core/log.ts";

/** What a memory store keeps; several stores over one of these are several openings of it. */
export interface Memory {
  readonly entries: Entry[];
  snapshot: { readonly head: Head; readonly state: string } | null;
}

/** A log in memory, for simulations. */
export class MemoryStore implements LogStore {
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

  close(): Promise<void> {
    return Promise.resolve();
  }
}
