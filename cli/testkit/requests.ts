// What startCluster() and the process of its cluster say to each other: a JSON value a line, on the
// process's standard input and output. The first line out is a `ReadyLine`, every other a `Reply`.

/** Whether the cluster is up, and where. */
export type ReadyLine =
  | {
    readonly ready: true;
    /** HTTP of the ingress. */
    readonly url: string;
    /** HTTP of the tower. */
    readonly tower: string;
    /** `HOST:PORT`. */
    readonly conductor: string;
    readonly nodes: readonly string[];
    /** The operator's secret key file. */
    readonly key: string;
    /** The cluster's folder, which goes with it. */
    readonly state: string;
  }
  | { readonly ready: false; readonly error: string };

/** What is asked of the cluster. */
export type Request = {
  /** Comes back in the reply. */
  readonly id: number;
} & Deed;

export type Deed =
  | { readonly do: "up"; readonly manifest: string }
  | { readonly do: "replicas"; readonly app: string }
  | { readonly do: "logs"; readonly app: string; readonly lines: number }
  | { readonly do: "kill" | "start"; readonly node: string };

/** What came of it. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly error: string };
