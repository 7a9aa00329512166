/**
 * Which lines of a node's logs are news to whoever gathers them.
 *
 * A node numbers the lines of each replica from its daemon's start on, and tells its last lines again
 * to whoever begins to listen. Within one start of the daemon the number says what is known. After
 * another start the numbers begin anew, and the daemon reads the end of each file again: there the
 * last lines that are known are looked for among the first it tells. A program that writes the same
 * line over and over may lose some of them there.
 */

import { TELEMETRY_CURSORS } from "../../core/limits.ts";

/** A line as a node tells it. */
export interface NodeLine {
  readonly replica: string;
  readonly number: number;
  readonly at: number;
  readonly line: string;
  readonly stream: "stdout" | "stderr";
}

/** So many known lines, or all where they are fewer, must stand again to be taken for the same. */
const KNOWN_LINES = 8;

/** Up to where a replica's lines are known. */
export interface Known {
  readonly boot: string;
  readonly number: number;
  /** The last lines, oldest first. */
  readonly last: readonly string[];
}

export class LineCursor {
  /** By replica, the longest silent first. */
  readonly #known = new Map<string, Known>();

  /** @param known what an earlier cursor knew */
  constructor(known: Iterable<readonly [replica: string, known: Known]> = []) {
    for (const [replica, each] of known) this.#set(replica, each);
  }

  /** Up to where a replica's lines are known, to be kept with them. */
  known(replica: string): Known | undefined {
    return this.#known.get(replica);
  }

  /**
   * Those of a batch that have not been told before, in their order.
   *
   * @param boot names the start of the node's daemon
   */
  fresh(boot: string, batch: readonly NodeLine[]): NodeLine[] {
    const byReplica = Map.groupBy(batch, (line) => line.replica);
    const news = new Set<NodeLine>();
    for (const [replica, lines] of byReplica) {
      for (const line of this.#freshOf(boot, replica, lines)) news.add(line);
    }
    return batch.filter((line) => news.has(line));
  }

  #freshOf(
    boot: string,
    replica: string,
    lines: readonly NodeLine[],
  ): readonly NodeLine[] {
    const known = this.#known.get(replica);
    const fresh = known === undefined
      ? lines
      : known.boot === boot
      ? lines.filter((line) => line.number > known.number)
      : lines.slice(endOfKnown(known.last, lines));
    const last = lines.at(-1);
    if (last === undefined) return [];
    this.#set(replica, {
      boot,
      number: last.number,
      last: [...known?.last ?? [], ...fresh.map((line) => line.line)].slice(-KNOWN_LINES),
    });
    return fresh;
  }

  #set(replica: string, known: Known): void {
    this.#known.delete(replica);
    this.#known.set(replica, known);
    if (this.#known.size > TELEMETRY_CURSORS) {
      this.#known.delete(this.#known.keys().next().value!);
    }
  }
}

/** Where in `lines` what is known ends; 0 where it does not stand there. */
function endOfKnown(known: readonly string[], lines: readonly NodeLine[]): number {
  if (known.length === 0) return 0;
  for (let end = lines.length; end >= known.length; end--) {
    const from = end - known.length;
    if (known.every((line, at) => line === lines[from + at]!.line)) return end;
  }
  return 0;
}
