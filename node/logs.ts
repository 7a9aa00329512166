// The last lines of a replica's output, with the time at which each was read.

import { LOG_LINE_BYTES, LOG_RING_LINES } from "../core/limits.ts";

/** Where a program wrote a line; and the files in the replica's folder that each is appended to. */
export const LOG_STREAMS = [["stdout", "log"], ["stderr", "log.err"]] as const;
export type LogStream = typeof LOG_STREAMS[number][0];

export interface LogLine {
  /** Grows by one with each line of the replica. */
  readonly number: number;
  readonly at: number;
  readonly line: string;
  readonly stream: LogStream;
}

/** A bounded ring of lines, fed with text as it comes, however it is cut. */
export class LogRing {
  #lines: LogLine[] = [];
  #next = 0;
  /** What of each stream stands without a line end. */
  readonly #rest = new Map<LogStream, string>();

  constructor(private readonly capacity = LOG_RING_LINES) {}

  /** Takes in text; the lines that it completed come back. */
  feed(text: string, wallMs: number, stream: LogStream = "stdout"): LogLine[] {
    const parts = ((this.#rest.get(stream) ?? "") + text).split("\n");
    let rest = parts.pop() ?? "";
    const fresh = parts.map((line) => this.#line(line, wallMs, stream));
    if (rest.length > LOG_LINE_BYTES) {
      // A line without an end is cut, so that memory stays bounded.
      fresh.push(this.#line(rest, wallMs, stream));
      rest = "";
    }
    this.#rest.set(stream, rest);
    this.#push(fresh);
    return fresh;
  }

  /** What stands without a line end becomes a line: the process that wrote it has ended. */
  flush(wallMs: number): LogLine[] {
    return [...this.#rest].flatMap(([stream, rest]) =>
      rest === "" ? [] : this.feed("\n", wallMs, stream)
    );
  }

  #line(text: string, wallMs: number, stream: LogStream): LogLine {
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    return { number: this.#next++, at: wallMs, line: line.slice(0, LOG_LINE_BYTES), stream };
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
