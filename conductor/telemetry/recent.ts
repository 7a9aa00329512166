/** The recent past of many things at once, for charts: bounded, in memory. */

/** Values by the names of their columns, oldest first; `null` where nothing was known. */
export type Columns<C extends string> = { readonly [K in C]: readonly (number | null)[] };

interface Past<C extends string> {
  /** Rings of the same places as the times; NaN where nothing was known. */
  readonly rings: Readonly<Record<C, Float32Array>>;
  /** The last look that told of it. */
  toldAt: number;
}

export class Recent<C extends string> {
  /** Of the look with number N the time is at N % `looks`. */
  readonly #wallMs: Float64Array;
  readonly #pasts = new Map<string, Past<C>>();
  #count = 0;

  /**
   * @param looks so many are kept
   * @param most so many things are known, those that were told of last
   */
  constructor(
    private readonly columns: readonly C[],
    private readonly looks: number,
    private readonly most: number,
  ) {
    this.#wallMs = new Float64Array(looks);
  }

  /** Takes in one look at everything. */
  add(wallMs: number, all: Iterable<readonly [key: string, values: Readonly<Record<C, number>>]>) {
    const at = this.#count++;
    const slot = at % this.looks;
    this.#wallMs[slot] = wallMs;
    for (const { rings } of this.#pasts.values()) {
      for (const column of this.columns) rings[column][slot] = NaN;
    }
    for (const [key, values] of all) {
      const past = this.#pastOf(key);
      past.toldAt = at;
      for (const column of this.columns) past.rings[column][slot] = values[column];
    }
    this.#forget(at);
  }

  /** What is known, the longest known first. */
  keys(): Iterable<string> {
    return this.#pasts.keys();
  }

  /**
   * When it was looked, oldest first.
   *
   * @param last only the last so many looks
   * @param step of these only every so-manyth, the newest among them
   */
  times(last = this.looks, step = 1): number[] {
    return this.#slots(last, step).map((slot) => this.#wallMs[slot]!);
  }

  /** The past of one thing at these times, with the digits that say something. */
  of(key: string, last = this.looks, step = 1): Columns<C> {
    const slots = this.#slots(last, step);
    const past = this.#pasts.get(key);
    const values = this.columns.map((column) => [
      column,
      slots.map((slot) => told(past?.rings[column][slot])),
    ]);
    return Object.fromEntries(values) as Columns<C>;
  }

  /** Places in the rings, oldest first. */
  #slots(last: number, step: number): number[] {
    const known = Math.min(this.#count, this.looks, last);
    const length = Math.ceil(known / step);
    return Array.from(
      { length },
      (_, at) => (this.#count - 1 - (length - 1 - at) * step) % this.looks,
    );
  }

  #pastOf(key: string): Past<C> {
    let past = this.#pasts.get(key);
    if (past === undefined) {
      const ring = () => new Float32Array(this.looks).fill(NaN);
      const rings = Object.fromEntries(this.columns.map((column) => [column, ring()]));
      this.#pasts.set(key, past = { rings: rings as Record<C, Float32Array>, toldAt: 0 });
    }
    return past;
  }

  /** Drops what is over, and of too many those that were told of least lately. */
  #forget(at: number): void {
    for (const [key, { toldAt }] of this.#pasts) {
      if (at - toldAt >= this.looks) this.#pasts.delete(key);
    }
    const over = this.#pasts.size - this.most;
    if (over <= 0) return;
    const oldest = [...this.#pasts].sort(([, a], [, b]) => a.toldAt - b.toldAt).slice(0, over);
    for (const [key] of oldest) this.#pasts.delete(key);
  }
}

function told(value = NaN): number | null {
  return Number.isNaN(value) ? null : Number(value.toPrecision(4));
}
