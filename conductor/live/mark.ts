// How far the log once went, beside it: a log that was emptied or cut shows by that.

import { logger } from "../../core/live/log.ts";
import type { Head } from "../../core/log.ts";
import { integer, parseShaped, struct, text } from "../../core/shape.ts";

const headShape = struct({ sequence: integer(0, 2 ** 40), hash: text(64, /^[0-9a-f]{64}$/) });

/**
 * Keeps the newest head that it was told in a file of its own. Written behind the log, never before
 * it: after a crash it may be some entries behind, never ahead.
 */
export class HeadMark {
  readonly path: string;
  #wanted: Head | null = null;
  #writing: Promise<void> | null = null;
  #failing = false;

  constructor(path: string) {
    this.path = path;
  }

  /** The head that was kept; `null` where there is none, or none that can be read. */
  async read(): Promise<Head | null> {
    try {
      return parseShaped(headShape, await Deno.readTextFile(this.path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return null;
      throw error;
    }
  }

  /** Keeps this head, soon. Of several in a row only the last is written. */
  note(head: Head): void {
    this.#wanted = head;
    this.#writing ??= this.#write().finally(() => this.#writing = null);
  }

  /** Resolves when the last noted head is written. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#wanted) {
      const head = this.#wanted;
      this.#wanted = null;
      try {
        await Deno.writeTextFile(`${this.path}.new`, JSON.stringify(head), { mode: 0o600 });
        await Deno.rename(`${this.path}.new`, this.path);
        this.#failing = false;
      } catch (error) {
        if (!this.#failing) {
          logger("store").warn("cannot note where the log ends: {error}", { error: String(error) });
        }
        this.#failing = true;
      }
    }
  }
}
