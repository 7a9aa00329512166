/** How a program of the virtual world behaves; its manifest says it as `BEHAVIOUR` in `env`. */
export type Behaviour =
  /** Answers its probes and requests after a while. */
  | "good"
  /** Ends by itself with code 1 soon after its start. */
  | "crash"
  /** Runs and never listens. */
  | "unready"
  /** Passes its probes and answers every request with 500. */
  | "errors";

/** A program that runs on a node, whether the daemon does or not. */
export interface Process {
  readonly replica: string;
  readonly instance: number;
  readonly app: string;
  readonly generation: number;
  readonly sequence: number;
  readonly pid: number;
  readonly port?: number;
  readonly behaviour: Behaviour;
  /** The digest of what it runs from, where that was fetched. */
  readonly digest?: string;
  /** What lay there was changed since the node had looked at it, a moment ago. */
  readonly isRaced?: boolean;
  /** From when on it listens. */
  readonly answersMs: number;
  alive: boolean;
  /** Seconds of CPU since its start, up to this moment. */
  cpuS?: number;
  workedMs?: number;
  /** An ordered stop has sent it a signal. */
  signalledMs?: number;
  endedMs?: number;
  code?: number;
  signal?: string;
  /** Its machine lost power: nothing tells how it ended. */
  lost?: true;
}
