// The store that several conductors share: the log, and the lease by which one of them leads. It keeps
// order by compare-and-set alone, as core/log.ts asks of it, and its answers may be lost on the way.

import type { Entry, Lease } from "../../core/log.ts";
import { type Ground, STORE } from "./daemon.ts";

/** How a request to the store ended. `failed`: nothing was done; `unsure`: it was done or not. */
export type Answer<T> = { readonly is: "ok"; readonly value: T } | { readonly is: Trouble };
type Trouble = "failed" | "unsure";

/** After this a client stops waiting for an answer. */
const PATIENCE_MS = 1_000;

export class SharedLog {
  readonly name = "store";
  readonly host = STORE.hostname;
  readonly entries: Entry[] = [];
  /** While set, requests fail now and then, before or after they were done. */
  troubled = false;
  /** What a request takes at the most, and how long nobody may be told of an entry. */
  delayMs = 2;
  #lease: Lease | null = null;
  #before: Lease | null = null;
  readonly #watchers = new Map<string, () => void>();

  constructor(private readonly ground: Ground) {}

  /** Hears, soon after it happened and not for sure, that the log has grown. */
  watch(host: string, changed: () => void): () => void {
    this.#watchers.set(host, changed);
    return () => this.#watchers.delete(host);
  }

  read(host: string, after: number, answer: (got: Answer<readonly Entry[]>) => void): void {
    this.#ask(host, () => this.entries.slice(after), answer);
  }

  /** `false`: the log does not end where this entry begins. */
  append(host: string, entry: Entry, answer: (got: Answer<boolean>) => void): void {
    this.#ask(host, () => {
      if (entry.sequence !== this.entries.length + 1) return false;
      this.entries.push(entry);
      this.ground.witness.appended(entry);
      this.#tell();
      return true;
    }, answer);
  }

  /** One that is behind shows the lease as it was before. */
  lease(host: string, answer: (got: Answer<Lease | null>) => void): void {
    const isOld = this.troubled && this.ground.prng.below(4) === 0;
    this.#ask(host, () => isOld ? this.#before : this.#lease, answer);
  }

  swap(
    host: string,
    revision: number,
    holder: string | null,
    answer: (got: Answer<number | null>) => void,
  ): void {
    this.#ask(host, () => {
      if ((this.#lease?.revision ?? 0) !== revision) return null;
      this.#before = this.#lease;
      this.#lease = { revision: revision + 1, holder };
      return revision + 1;
    }, answer);
  }

  #ask<T>(host: string, work: () => T, answer: (got: Answer<T>) => void): void {
    const { timeline, prng } = this.ground;
    const luck = this.troubled ? prng.below(6) : 5;
    const thereMs = 0.1 + prng.next() * this.delayMs / 2;
    const backMs = 0.1 + prng.next() * this.delayMs / 2;
    const unsure = () => timeline.after(PATIENCE_MS, () => answer({ is: "unsure" }));
    timeline.after(thereMs, () => {
      if (luck === 0) return answer({ is: "failed" });
      if (luck === 1 || this.#isCut(host, this.host)) return unsure();
      // It may lie about until long after nobody waits for it any more.
      if (luck === 2) {
        timeline.after(PATIENCE_MS * 2 * prng.next(), work);
        return unsure();
      }
      const value = work();
      if (luck === 3) return unsure();
      timeline.after(backMs, () => {
        if (this.#isCut(this.host, host)) unsure();
        else answer({ is: "ok", value });
      });
    });
  }

  #isCut(from: string, to: string): boolean {
    return this.ground.network.isWayCut(from, to);
  }

  #tell(): void {
    const { timeline, prng } = this.ground;
    for (const [host, changed] of this.#watchers) {
      const isLost = this.troubled && prng.below(2) === 0;
      const lateMs = prng.next() * this.delayMs * 5;
      timeline.after(lateMs, () => {
        if (!isLost && !this.#isCut(this.host, host)) changed();
      });
    }
  }
}
