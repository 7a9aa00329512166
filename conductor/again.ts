/** When something that failed is tried again: each failure in a row doubles the wait. */
export class Again {
  readonly #waits = new Map<string, { waitMs: number; dueMonoMs: number }>();

  constructor(private readonly leastMs: number, private readonly mostMs: number) {}

  /** Says whether it may be tried now. */
  may(name: string, monoMs: number): boolean {
    return monoMs >= (this.#waits.get(name)?.dueMonoMs ?? -Infinity);
  }

  failed(name: string, monoMs: number): void {
    const before = this.#waits.get(name)?.waitMs ?? this.leastMs / 2;
    const waitMs = Math.min(this.mostMs, before * 2);
    this.#waits.set(name, { waitMs, dueMonoMs: monoMs + waitMs });
  }

  worked(name: string): void {
    this.#waits.delete(name);
  }
}
