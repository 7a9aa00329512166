// The last lines of a replica's output, with the time at which each was read.

import { LOG_LINE_BYTES, LOG_RING_LINES } from "../core/limits.ts";

export interface LogLine {
  /** Grows by one with each line of the replica. */
  readonly number: number;
  readonly at: number;
  readonly line: string;
}

/** A bounded ring of lines, fed with text as it comes, however it is cut. */
export class LogRing {
  #lines: LogLine[] = [];
  #next = 0;
  #rest = "";

  constructor(private readonly capacity = LOG_RING_LINES) {}

  /** Takes in text; the lines that it completed come back. */
  feed(text: string, wallMs: number): LogLine[] {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    const fresh = parts.map((line) => this.#line(line, wallMs));
    if (this.#rest.length > LOG_LINE_BYTES) {
      // A line without an end is cut, so that memory stays bounded.
      fresh.push(this.#line(this.#rest, wallMs));
      this.#rest = "";
    }
    this.#push(fresh);
    return fresh;
  }

  /** What stands without a line end becomes a line: the process that wrote it has ended. */
  flush(wallMs: number): LogLine[] {
    return this.#rest === "" ? [] : this.feed("\n", wallMs);
  }

  #line(text: string, wallMs: number): LogLine {
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    return { number: this.#next++, at: wallMs, line: line.slice(0, LOG_LINE_BYTES) };
  }

  #push(fresh: readonly LogLine[]): void {
    this.#lines.push(...fresh.slice(-this.capacity));
    // Cut in one go now and then, not at each line.
    if (this.#lines.length > 2 * this.capacity) this.#lines = this.#lines.slice(-this.capacity);
  }

  /** The last lines, oldest first. */
  last(count: number): LogLine[] {
    return count <= 0 ? [] : this.#lines.slice(-Math.min(count, this.capacity));
  }
}
