// What a row of the benchmark is: what it measures, and how.

/** One number of a row, sampled several times; the median is what counts. */
export interface Figure {
  /** Unique within its row. */
  readonly key: string;
  /** What it is, in a few words. */
  readonly label: string;
  /** `ms`, `MB`, `requests`, `1/s`, ... */
  readonly unit: string;
  /** Whether less or more is better (less). */
  readonly better?: "less" | "more";
  /** What the median must reach. Absent: the figure is only told. */
  readonly mustReach?: number;
  /** What it should reach. */
  readonly goal?: number;
  /** True where every sample counts, not the median: `0 failed` is a promise, not a tendency. */
  readonly every?: boolean;
}

/** One row: a few figures that are made by the same runs. */
export interface Row {
  readonly name: string;
  /** One line: what is done, from when to when. */
  readonly measures: string;
  readonly figures: readonly Figure[];
  /** How many runs are made when nobody says otherwise. */
  readonly runs: number;
  /**
   * Measures. Every figure gets its samples by `recorder.sample`.
   *
   * @throws {NotMeasured} where this machine lacks what is needed.
   */
  run(recorder: Recorder): Promise<void>;
}

/** What a row tells while it measures. */
export interface Recorder {
  /** How many runs to make. */
  readonly runs: number;
  /** One value of a figure, in its unit. */
  sample(figure: string, value: number): void;
  /** One line of progress; the next replaces it. */
  progress(line: string): void;
  /** One line that is kept with the row: what was not the same as asked, and why. */
  note(line: string): void;
}

/** A row cannot be measured here; the message says what is missing. */
export class NotMeasured extends Error {}
