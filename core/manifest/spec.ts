// What a manifest means: the typed form of one `app` block. Absent optional keys are `undefined`;
// keys with a default always carry a value. Durations are in ms, sizes in bytes.

export type AppType = "service" | "job" | "wasm" | "vm" | "system";

export type HealthCheck =
  | { readonly kind: "get"; readonly path: string; readonly status: number }
  | { readonly kind: "tcp" }
  | { readonly kind: "exec"; readonly command: string };

export interface HealthSpec {
  readonly check: HealthCheck;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
}

export interface ScaleSpec {
  readonly min: number;
  readonly max: number;
  /** Percent of `cpu`. */
  readonly cpuAbove?: number;
  readonly cpuBelow?: number;
  readonly rpsAbove?: number;
  readonly idleAfterMs?: number;
  readonly cooldownMs: number;
}

export interface RolloutSpec {
  readonly order: "start-first" | "stop-first";
  readonly batch: number;
  readonly settleMs: number;
  readonly timeoutMs: number;
  readonly onFailure: "rollback" | "pause";
  readonly canary?: {
    readonly percent: number;
    readonly durationMs: number;
    readonly minRequests: number;
  };
}

export interface RouteSpec {
  /** Lower-case host name, without port; absent means any host. */
  readonly host?: string;
  /** Begins with `/`; matches whole path segments. */
  readonly path: string;
  /**
   * What is taken off the front of the request's path: the whole `path` (`strip yes`), a leading
   * part of it (`path /api/products`, `strip /api`: the service sees `/products`), or nothing.
   */
  readonly strip?: string;
  readonly rate?: { readonly perSecond: number; readonly burst: number; readonly per: RatePer };
  readonly sticky: "cookie" | "none";
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly weight: number;
  readonly tlsRequired: boolean;
}

/** `ip`, or a request header whose value tells the clients apart. */
export type RatePer = "ip" | { readonly header: string };

export interface Label {
  readonly key: string;
  readonly value: string;
}

export interface PlaceSpec {
  readonly require: readonly Label[];
  readonly prefer: readonly Label[];
  /** `node`, or the label whose values replicas are spread over. */
  readonly spread: "node" | { readonly label: string };
  readonly avoid: readonly string[];
  readonly near: readonly string[];
}

export interface SandboxSpec {
  readonly user?: string;
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
  readonly optional: boolean;
}

export interface VmSpec {
  readonly hypervisor: "qemu" | "firecracker";
  readonly kernel?: string;
  readonly initrd?: string;
  readonly rootfs?: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly net?: string;
  readonly args: readonly string[];
}

export interface AppSpec {
  readonly name: string;
  readonly type: AppType;
  readonly exec?: string;
  /** Split as a shell splits words; `${...}` not yet replaced. */
  readonly args: readonly string[];
  readonly port?: { readonly number: number; readonly fixed: boolean };
  readonly replicas: number;
  readonly ramBytes?: number;
  /** Cores; may be a fraction. */
  readonly cpu?: number;
  readonly gpu: boolean;
  readonly restart: "always" | "on-failure" | "never";
  readonly drainMs: number;
  readonly graceMs: number;
  readonly user?: string;
  readonly cwd?: string;
  readonly stopSignal: string;
  readonly namespace: string;
  readonly needs: readonly string[];
  readonly schedule?: {
    readonly cron: string;
    readonly timezone?: string;
    readonly overlap: "allow" | "skip" | "replace";
  };
  /** In the order written; `${...}` not yet replaced. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment variable -> name in the secret store. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly volumes: readonly {
    readonly path: string;
    readonly env?: string;
    readonly shared: boolean;
  }[];
  readonly build?: { readonly run: string; readonly out?: string };
  readonly artifact?: {
    readonly from: string;
    readonly to?: string;
    /** Hex digest, added by the CLI before it signs. */
    readonly sha256?: string;
  };
  readonly serve?: { readonly static: string; readonly port?: number; readonly spa: boolean };
  readonly health?: HealthSpec;
  readonly scale?: ScaleSpec;
  readonly rollout: RolloutSpec;
  readonly routes: readonly RouteSpec[];
  readonly place: PlaceSpec;
  readonly sandbox?: SandboxSpec;
  readonly before?: {
    readonly exec: string;
    readonly args: readonly string[];
    readonly timeoutMs: number;
  };
  readonly vm?: VmSpec;
}
