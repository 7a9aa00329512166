import type { Output } from "../output.ts";

/** Lines on a terminal that are drawn over themselves. Other lines go above them. */
export class Block {
  #drawn = 0;

  constructor(private readonly output: Output) {}

  /** Draws the lines in place of those drawn before. They must not be wider than the terminal. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `\x1b[2K${line}\n`).join("");
    this.output.raw(`${this.#up()}${text}\x1b[J`);
    this.#drawn = lines.length;
  }

  /** Takes the block away. */
  clear(): void {
    if (this.#drawn > 0) this.output.raw(`${this.#up()}\x1b[J`);
    this.#drawn = 0;
  }

  /** Leaves what is drawn as it stands; the next block begins below it. */
  keep(): void {
    this.#drawn = 0;
  }

  #up(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
  }
}

/** Rows of the terminal. */
export function terminalRows(): number {
  try {
    return Deno.consoleSize().rows || 24;
  } catch {
    return 24; // stdin, stdout and stderr are none that knows its size
  }
}
