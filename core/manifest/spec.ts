// What a manifest means: the typed form of one `app` block. Absent optional keys are `undefined`;
// keys with a default always carry a value. Durations are in ms, sizes in bytes.

/** A key that starts with `x-`: carried along, never acted on. */
export interface Extra {
  readonly key: string;
  readonly value?: string;
  /** The lines of its block, if it opened one. */
  readonly lines?: readonly Extra[];
}

/** A block that may hold `x-` keys. */
export interface Extensible {
  readonly extra?: readonly Extra[];
}

export type AppType = "service" | "job" | "wasm" | "vm" | "system";

export type HealthCheck =
  | { readonly kind: "get"; readonly path: string; readonly status: number }
  | { readonly kind: "tcp" }
  | { readonly kind: "exec"; readonly command: string };

export interface HealthSpec extends Extensible {
  readonly check: HealthCheck;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
}

export interface ScaleSpec extends Extensible {
  readonly min: number;
  readonly max: number;
  /** Percent of `cpu`. */
  readonly cpuAbove?: number;
  readonly cpuBelow?: number;
  readonly rpsAbove?: number;
  readonly idleAfterMs?: number;
  readonly cooldownMs: number;
}

export interface RolloutSpec extends Extensible {
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

export interface RouteSpec extends Extensible {
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

export interface PlaceSpec extends Extensible {
  readonly require: readonly Label[];
  readonly prefer: readonly Label[];
  /** `node`, or the label whose values replicas are spread over. */
  readonly spread: "node" | { readonly label: string };
  readonly avoid: readonly string[];
  readonly near: readonly string[];
}

export interface SandboxSpec extends Extensible {
  readonly user?: string;
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
  readonly optional: boolean;
}

export interface VmSpec extends Extensible {
  readonly hypervisor: "qemu" | "firecracker";
  readonly kernel?: string;
  readonly initrd?: string;
  readonly rootfs?: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly net?: string;
  readonly args: readonly string[];
}

export interface ScheduleSpec extends Extensible {
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  /** An IANA name; absent means UTC. */
  readonly timezone?: string;
  readonly overlap: "allow" | "skip" | "replace";
  /** Whether one run makes up for the ticks that nobody was there for. */
  readonly missed: "once" | "skip";
}

export interface VolumeSpec extends Extensible {
  /** Absolute, or below the node's own state folder. */
  readonly path: string;
  readonly env?: string;
  readonly shared: boolean;
}

export interface BuildSpec extends Extensible {
  readonly run: string;
  readonly out?: string;
}

export interface ArtifactSpec extends Extensible {
  readonly from: string;
  readonly to?: string;
  /** Hex digest of its bytes, added by the CLI before it signs; and how many these are. */
  readonly sha256?: string;
  readonly bytes?: number;
  /** A file's bytes are itself, a folder's the archive of core/tar.ts; added by the CLI. */
  readonly form?: "file" | "folder";
}

export interface ServeSpec extends Extensible {
  readonly static: string;
  /** Always equal to the app's own port. */
  readonly port: number;
  readonly spa: boolean;
}

export interface BeforeSpec extends Extensible {
  readonly exec: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
}

export interface AppSpec extends Extensible {
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
  readonly schedule?: ScheduleSpec;
  /** For jobs: how often a replica that failed is started again. */
  readonly retries?: number;
  /** For jobs: how long a run may take, its retries included. */
  readonly timeoutMs?: number;
  /** In the order written; `${...}` not yet replaced. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment variable -> name in the secret store. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly volumes: readonly VolumeSpec[];
  readonly build?: BuildSpec;
  readonly artifact?: ArtifactSpec;
  /** With `serve`, `port` is always set too. */
  readonly serve?: ServeSpec;
  readonly health?: HealthSpec;
  readonly scale?: ScaleSpec;
  readonly rollout: RolloutSpec;
  readonly routes: readonly RouteSpec[];
  readonly place: PlaceSpec;
  readonly sandbox?: SandboxSpec;
  readonly before?: BeforeSpec;
  readonly vm?: VmSpec;
}
