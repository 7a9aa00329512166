import { type Output, paint } from "../output.ts";

/** An output that keeps what was written. */
export interface KeptOutput extends Output {
  readonly printed: string[];
  readonly noted: string[];
  raws: string;
}

/** Makes an output for tests; without `columns` it is no terminal. */
export function keptOutput(columns?: number): KeptOutput {
  const printed: string[] = [];
  const noted: string[] = [];
  return {
    printed,
    noted,
    raws: "",
    print: (line) => void printed.push(line),
    note: (line) => void noted.push(line),
    raw(text) {
      this.raws += text;
    },
    paint: paint(false),
    notePaint: paint(false),
    columns: columns ?? Infinity,
    noteColumns: columns ?? null,
  };
}
