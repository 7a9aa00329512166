// Which signed requests this node has done: so that none is done twice, whoever repeats it, also after
// the daemon was started again.

import { DONE_MARKS, SIGNED_WINDOW_S } from "../../core/limits.ts";
import { integer, list, parseShaped, struct, text } from "../../core/shape.ts";
import { now } from "../../core/live/clock.ts";
import { readText } from "./files.ts";

const shape = list(
  struct({ mark: text(64, /^[0-9a-f]{64}$/), unixS: integer(0, 2 ** 40) }),
  DONE_MARKS,
);

export class DoneMarks {
  readonly #marks = new Map<string, number>();
  readonly #path: string;
  /** What was signed up to here may have been done, and nobody knows. */
  #unknownUntilS = -Infinity;

  /**
   * @param folder the node's state folder
   * @param isFresh it was made just now: nothing was ever done in it
   */
  constructor(folder: string, isFresh: boolean) {
    this.#path = `${folder}/requests.done`;
    const known = parseShaped(shape, readText(this.#path) ?? "");
    if (known === null && !isFresh) this.#unknownUntilS = Math.floor(now().wallMs / 1000);
    for (const { mark, unixS } of known ?? []) this.#marks.set(mark, unixS);
  }

  /** Whether it may be done by what is known: `unknown` is over after a second or two. */
  look(mark: string, unixS: number): "new" | "done" | "unknown" {
    if (this.#marks.has(mark)) return "done";
    return unixS <= this.#unknownUntilS ? "unknown" : "new";
  }

  /**
   * Notes durably that it is being done.
   *
   * @throws {Error} where that cannot be written, or too many were done within a minute: then it must
   *   not be done.
   */
  add(mark: string, unixS: number): void {
    const oldestS = now().wallMs / 1000 - 2 * SIGNED_WINDOW_S;
    for (const [each, doneS] of this.#marks) if (doneS < oldestS) this.#marks.delete(each);
    if (this.#marks.size >= DONE_MARKS) {
      throw new Error(`this node did ${DONE_MARKS} signed requests within a minute: wait for one`);
    }
    this.#marks.set(mark, unixS);
    try {
      this.#write();
    } catch (error) {
      throw new Error(`cannot note the request in ${this.#path}: ${(error as Error).message}`);
    }
  }

  #write(): void {
    const all = [...this.#marks].map(([mark, unixS]) => ({ mark, unixS }));
    const path = `${this.#path}.new`;
    {
      using file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(JSON.stringify(all));
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      // A machine may be up again before what was signed then has become too old.
      file.syncSync();
    }
    Deno.renameSync(path, this.#path);
  }
}
