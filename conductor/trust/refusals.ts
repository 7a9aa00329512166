import { REFUSALS_TOLD, REFUSALS_TOLD_ALL, SOURCES } from "../../core/limits.ts";

const MINUTE_MS = 60_000;

/**
 * Which refusals the history tells one by one: the first few of each source and no more than
 * `REFUSALS_TOLD_ALL` a minute of all sources together, since whoever floods a conductor may invent
 * any number of sources. The rest is counted.
 */
export class Refusals {
  /** @param what is refused, in the plural */
  constructor(private readonly what = "commands") {}

  readonly #sources = new Map<string, { count: number; readonly sinceMonoMs: number }>();
  #told = 0;
  #untold = 0;
  #sinceMonoMs = -Infinity;

  /** Counts one refusal; says whether the history tells it. */
  tell(source: string, monoMs: number): boolean {
    const known = this.#sources.get(source) ?? { count: 0, sinceMonoMs: monoMs };
    known.count++;
    if (this.#sources.size < SOURCES) this.#sources.set(source, known);
    if (this.#sources.has(source) && known.count > REFUSALS_TOLD) return false;
    if (monoMs - this.#sinceMonoMs >= MINUTE_MS) {
      this.#sinceMonoMs = monoMs;
      this.#told = 0;
    }
    if (this.#told < REFUSALS_TOLD_ALL) {
      this.#told++;
      return true;
    }
    this.#untold++;
    // What the limit for all has swallowed is no part of its source's own sum.
    known.count--;
    return false;
  }

  /** One line for each source whose minute is over and that had more refusals than were told. */
  sum(monoMs: number): string[] {
    const lines: string[] = [];
    for (const [source, { count, sinceMonoMs }] of this.#sources) {
      if (monoMs - sinceMonoMs < MINUTE_MS) continue;
      this.#sources.delete(source);
      if (count <= REFUSALS_TOLD) continue;
      if (lines.length < REFUSALS_TOLD) {
        lines.push(`${count - REFUSALS_TOLD} more ${this.what} from ${source} were refused`);
      } else this.#untold += count - REFUSALS_TOLD;
    }
    if (this.#untold > 0 && monoMs - this.#sinceMonoMs >= MINUTE_MS) {
      lines.push(`${this.#untold} more ${this.what} from many sources were refused`);
      this.#untold = 0;
    }
    return lines;
  }
}
