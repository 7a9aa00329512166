/**
 * The last entries that a conductor has seen in its log. Servers that fail in bad order can lose what
 * they have acknowledged: then these are written again.
 */

import { RECENT_ENTRIES, RECENT_ENTRIES_CHARACTERS } from "../../core/limits.ts";
import type { Entry, Head } from "../../core/log.ts";

export class RecentEntries {
  readonly #entries = new Map<number, { readonly entry: Entry; readonly size: number }>();
  #size = 0;

  /** An entry stands in the log. What is no successor of the last one begins anew. */
  note(entry: Entry): void {
    const { sequence } = entry;
    if (this.#entries.get(sequence)?.entry.hash === entry.hash) return;
    const before = this.#entries.get(sequence - 1);
    if (before?.entry.hash !== entry.previous || this.#entries.has(sequence)) this.#clear();
    const size = JSON.stringify(entry).length;
    this.#entries.set(sequence, { entry, size });
    this.#size += size;
    for (const [oldest, { size }] of this.#entries) {
      const isMuch = this.#size > RECENT_ENTRIES_CHARACTERS && this.#entries.size > 1;
      if (this.#entries.size <= RECENT_ENTRIES && !isMuch) return;
      this.#entries.delete(oldest);
      this.#size -= size;
    }
  }

  /** What leads from this end of the log to that entry, without it; `null` where that is not known. */
  between(head: Head, entry: Entry): Entry[] | null {
    const found: Entry[] = [];
    let { hash } = head;
    for (let sequence = head.sequence + 1; sequence < entry.sequence; sequence++) {
      const next = this.#entries.get(sequence)?.entry;
      if (next?.previous !== hash) return null;
      found.push(next);
      hash = next.hash;
    }
    return hash === entry.previous ? found : null;
  }

  #clear(): void {
    this.#entries.clear();
    this.#size = 0;
  }
}
