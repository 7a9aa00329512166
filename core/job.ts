// One run of a job, as the log keeps it and as people are shown it.

export const RUN_STATES = [
  "waiting", // for its turn, a node, or what the job needs
  "running",
  "succeeded", // every replica of it ended with code 0
  "failed", // one did not, and its retries are used up
  "timeout", // it was ended because it took too long
  "unknown", // its node vanished: it may have run, or run still
  "skipped", // its turn came while the run before was at work
  "missed", // its turn came while nobody was there to start it
  "replaced", // it was ended because the next one's turn came
  "stopped", // the app was taken down
] as const;
export type RunState = typeof RUN_STATES[number];

export interface Run {
  /** From 1, within its app. */
  readonly run: number;
  readonly state: RunState;
  /** Why there is this run: a new manifest, a RUN of an operator, its schedule. */
  readonly why: "apply" | "command" | "schedule";
  /** Id of the command that asked for it. */
  readonly by?: string;
  /** The tick of its schedule; of the last one, where it stands for several that were missed. */
  readonly dueWallMs?: number;
  /** How many ticks a `missed` stands for. */
  readonly ticks?: number;
  readonly generation: number;
  readonly askedWallMs: number;
  readonly startedWallMs?: number;
  readonly endedWallMs?: number;
  /** Of the first replica that failed, else 0. */
  readonly code?: number;
  readonly signal?: string;
  /** For people. */
  readonly reason?: string;
  readonly replicas: readonly RunReplica[];
}

export interface RunReplica {
  readonly replica: string;
  readonly index: number;
  /** Node id. */
  readonly node: string;
}

/** Whether nothing more is to come of it. */
export function isOver({ state, endedWallMs }: Run): boolean {
  if (state === "unknown") return endedWallMs !== undefined;
  return state !== "waiting" && state !== "running";
}
