// What daemons hold over time, and whether it grows.

/** What one process held at one time. */
export interface Held {
  readonly atMs: number;
  /** What the kernel counts; it grows for a while without anything being kept. */
  readonly residentBytes: number;
  /** What is kept: the heap after a collection. */
  readonly heapBytes: number;
  readonly descriptors: number;
  readonly timers: number;
}

/** One process of a daemon, from its start to its end. */
export interface Life {
  readonly name: string;
  readonly pid: number;
  readonly samples: Held[];
}

/** What may come on top between the beginning (warmed up) and the end. */
const BOUNDS = {
  residentBytes: (before: number) => Math.max(before * 0.5, 64 * 1024 * 1024),
  heapBytes: (before: number) => Math.max(before * 0.2, 6 * 1024 * 1024),
  descriptors: (before: number) => Math.max(before * 0.25, 16),
  timers: (before: number) => Math.max(before * 0.25, 16),
} as const;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1]!;
}

/** What has grown beyond its bound, for people; nothing for a life too short to tell. */
export function growthOf({ name, pid, samples }: Life): string[] {
  const said: string[] = [];
  const quarter = samples.length >> 2;
  if (quarter < 2) return said;
  // The first quarter is warming up.
  const early = samples.slice(quarter, 2 * quarter);
  const late = samples.slice(-quarter);
  for (const key of ["residentBytes", "heapBytes", "descriptors", "timers"] as const) {
    const before = median(early.map((each) => each[key]));
    const after = median(late.map((each) => each[key]));
    if (after - before <= BOUNDS[key](before)) continue;
    said.push(`${name} (${pid}): ${key} grew from ${before} to ${after}`);
  }
  return said;
}

/** Looks at a process; `null` if it is gone. */
export async function look(pid: number, log: string, atMs: number): Promise<Held | null> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    let descriptors = 0;
    for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) descriptors++;
    const text = await Deno.readTextFile(log);
    const said = [...text.matchAll(/^held: (\d+) timers, (\d+) bytes$/gm)].at(-1);
    if (said === undefined) return null;
    return {
      atMs,
      residentBytes: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024,
      descriptors,
      heapBytes: Number(said[2]),
      timers: Number(said[1]),
    };
  } catch {
    return null;
  }
}
