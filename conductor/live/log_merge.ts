// Lines of several writers as one: those that are there already in the order of their times, then
// whatever comes, as it comes.

/** What a writer has said so far is over; what follows comes as it is written. */
export const PAST_OVER = Symbol("past over");

/** A line with its time. */
interface Timed {
  readonly wallMs: number;
}

/** Reads one writer a line ahead, and no further: the rest waits where it is. */
export class LineSource<Line extends Timed> {
  /** The next line of the past; `null` where there is none any more, or none in time. */
  head: Line | null = null;
  readonly #lines: AsyncIterator<Line | typeof PAST_OVER>;
  #next: Promise<IteratorResult<Line | typeof PAST_OVER>> | null = null;

  /** @param past of how many lines its past can be at most: older nodes do not say where it ends */
  constructor(lines: AsyncIterable<Line | typeof PAST_OVER>, private past = Infinity) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /**
   * Reads the next head. One that says nothing for so long is passed over: what it was about to say
   * is then among what comes.
   */
  async advance(silenceMs: number): Promise<void> {
    this.head = null;
    if (this.past-- <= 0) return;
    this.#next ??= this.#read();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silent = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), silenceMs);
    });
    const next = await Promise.race([this.#next, silent]);
    clearTimeout(timer);
    if (next === null) return;
    if (next.done) return; // kept, so that `rest()` sees it
    this.#next = null;
    if (next.value !== PAST_OVER) this.head = next.value;
  }

  /** Calls back with everything that is left, until it ends. */
  async rest(take: (line: Line) => void): Promise<void> {
    if (this.head) take(this.head);
    for (;;) {
      const next = await (this.#next ?? this.#read());
      this.#next = null;
      if (next.done) return;
      if (next.value !== PAST_OVER) take(next.value);
    }
  }

  /** A writer that breaks off has ended. */
  #read(): Promise<IteratorResult<Line | typeof PAST_OVER>> {
    return this.#lines.next().catch(() => ({ done: true, value: undefined }));
  }
}

/**
 * Takes what the writers have said so far in the order of its times, one line of each at a time in
 * memory. Lines of the same time stand in the order of the writers.
 *
 * @param silenceMs how long to wait for a writer that says nothing
 */
export async function mergePast<Line extends Timed>(
  sources: readonly LineSource<Line>[],
  silenceMs: number,
  take: (line: Line) => void,
): Promise<void> {
  await Promise.all(sources.map((source) => source.advance(silenceMs)));
  const order = new Map(sources.map((source, index) => [source, index]));
  const isBefore = (a: LineSource<Line>, b: LineSource<Line>) =>
    (a.head!.wallMs - b.head!.wallMs || order.get(a)! - order.get(b)!) < 0;
  /** By the times of their heads, the latest first. */
  const waiting: LineSource<Line>[] = [];
  const insert = (source: LineSource<Line>) => {
    if (source.head === null) return;
    let [low, high] = [0, waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(source, waiting[middle]!)) low = middle + 1;
      else high = middle;
    }
    waiting.splice(low, 0, source);
  };
  sources.forEach(insert);
  for (let first = waiting.pop(); first !== undefined; first = waiting.pop()) {
    take(first.head!);
    await first.advance(silenceMs);
    insert(first);
  }
}

/** The last of many lines, so many and so many bytes of text at most. */
export class LastLines<Line extends { readonly line: string }> {
  #lines: Line[] = [];
  #from = 0;
  #size = 0;

  constructor(private readonly count: number, private readonly size: number) {}

  add(line: Line): void {
    this.#lines.push(line);
    this.#size += line.line.length;
    while (this.#lines.length - this.#from > this.count || this.#size > this.size) {
      this.#size -= this.#lines[this.#from++]!.line.length;
    }
    if (this.#from < 1_000 || this.#from * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#from);
    this.#from = 0;
  }

  take(): Line[] {
    const lines = this.#lines.slice(this.#from);
    this.#lines = [];
    this.#from = 0;
    this.#size = 0;
    return lines;
  }
}
