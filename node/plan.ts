// What a replica's program is given: its arguments, its environment and nothing else.

import type { AppSpec } from "../core/manifest/spec.ts";
import { substitute } from "../core/manifest/variables.ts";
import type { Launch } from "../core/wire.ts";
import { artifactFault, artifactFolder, artifactOf } from "./artifact.ts";
import { type Fence, type FenceTools, sandboxed, sandboxFault } from "./sandbox.ts";
import { commandOf, lacksRunner, type PathCheck, resolvePath, type Runners } from "./workload.ts";

/** How a program is to be started. */
export interface LaunchPlan {
  /** Absolute, or a name to be found on `path`. */
  readonly exec: string;
  readonly args: readonly string[];
  /** The whole environment, but for HOME and the volumes' folders, which only the disk knows. */
  readonly env: Readonly<Record<string, string>>;
  /** Where `exec` is looked for. */
  readonly path: string;
  readonly cwd: string;
  readonly user?: string;
  /** The account of its sandbox, in place of `user`. */
  readonly uid?: number;
  readonly fence?: Fence;
  readonly volumes: AppSpec["volumes"];
  /** Variable -> which secret it holds, or a file of it; only the live layer ever sees more. */
  readonly secrets?: AppSpec["secrets"];
  /** What it may use, where the node can hold it to that. */
  readonly limits: { readonly ramBytes?: number; readonly cpu?: number };
  /** What must be there before it is started. */
  readonly paths?: readonly PathCheck[];
}

/** What the node gives to all its replicas. */
export interface Surroundings {
  /** The node's name and address. */
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly workdir: string;
  /** The node's state folder. */
  readonly state?: string;
  /** By what it can hold programs to their sandbox. */
  readonly fence?: FenceTools;
  /** Folder of the artifacts that are here. */
  readonly artifacts?: string;
  /** The node's own programs, by which it serves folders and runs modules and machines. */
  readonly runners?: Runners;
  /** Where a Deno program finds its cache. */
  readonly denoDir?: string;
  /** `http://ip:7772`. */
  readonly towerUrl?: string;
}

/** Who the replica is. */
export interface Self {
  readonly replica: string;
  readonly app: string;
  readonly index: number;
  readonly port?: number;
}

/**
 * Plans a start. `PORT`, `HOST`, `APP`, `REPLICA` (its number, as `${REPLICA}`), `REPLICA_ID`,
 * `NODE`, `IP`, `SKR8TR_TOWER`, `PATH`, `DENO_DIR` and `DENO_NO_UPDATE_CHECK` are given by the node;
 * what the manifest's `env` says goes before them. A literal `PORT` equal to the app's port stands
 * for the replica's.
 */
export function planLaunch(spec: AppSpec, self: Self, around: Surroundings): LaunchPlan {
  const port = self.port === undefined ? undefined : String(self.port);
  const artifact = artifactOf(spec);
  const values: Record<string, string> = {
    REPLICA: String(self.index),
    APP: self.app,
    NODE: around.name,
    IP: around.host,
    ...(port === undefined ? {} : { PORT: port }),
    ...(artifact && around.artifacts
      ? { ARTIFACT: artifactFolder(around.artifacts, artifact) }
      : {}),
  };
  const env: Record<string, string> = {
    PATH: around.path,
    HOST: around.host,
    REPLICA_ID: self.replica,
    ...(around.denoDir === undefined ? {} : { DENO_DIR: around.denoDir }),
    DENO_NO_UPDATE_CHECK: "1",
    ...(around.towerUrl === undefined ? {} : { SKR8TR_TOWER: around.towerUrl }),
    ...values,
  };
  for (const [key, text] of Object.entries(spec.env)) {
    const literal = key === "PORT" && text === String(spec.port?.number);
    env[key] = literal && port !== undefined ? port : substitute(text, values);
  }
  const home = `${around.state ?? ""}/replicas/${self.replica}/home`;
  const command = commandOf(spec, values, home, around);
  const { args, fence, uid, paths: named } = sandboxed(spec, command, values, home, around);
  const paths = [...command.paths, ...named];
  const user = spec.sandbox?.user ?? spec.user;
  // The node's own cache is not open to other accounts.
  if (uid !== undefined) env.DENO_DIR = `${home}/.cache/deno`;
  return {
    exec: command.exec,
    args,
    env,
    path: around.path,
    cwd: resolvePath(substitute(spec.cwd ?? ".", values), around.workdir),
    ...(paths.length === 0 ? {} : { paths }),
    ...(user === undefined || user === "auto" || uid !== undefined ? {} : { user }),
    ...(uid === undefined ? {} : { uid }),
    ...(fence === undefined ? {} : { fence }),
    volumes: spec.volumes,
    ...(Object.keys(spec.secrets).length === 0 ? {} : { secrets: spec.secrets }),
    limits: {
      ...(spec.ramBytes === undefined ? {} : { ramBytes: spec.ramBytes }),
      ...(spec.cpu === undefined ? {} : { cpu: spec.cpu }),
    },
  };
}

/** What this app asks for that this node cannot do; `null` where it can run it. */
export function unsupported(spec: AppSpec, around: Surroundings): string | null {
  const lacking = lacksRunner(spec, around);
  if (lacking !== null) return lacking;
  if (!spec.serve && !spec.vm && !spec.exec) return "the manifest has no exec";
  const fault = artifactFault(spec);
  if (fault !== null) return fault;
  const open = sandboxFault(spec, around);
  if (open === null || spec.sandbox?.optional) return null;
  return `${open}; \`optional yes\` in its sandbox runs it without`;
}

/** The app that a v1 LAUNCH describes: the manifest's defaults for what it cannot say. */
export function specOfLaunch(launch: Launch): AppSpec {
  return {
    name: launch.name,
    type: "service",
    exec: launch.bin.replaceAll("$", "$$$$"),
    args: launch.args.split(/\s+/).filter((word) => word !== "").map((word) =>
      word.replaceAll("$", "$$$$")
    ),
    ...(launch.port === 0 ? {} : { port: { number: launch.port, fixed: true } }),
    replicas: 1,
    gpu: false,
    restart: launch.restart,
    drainMs: launch.drainS * 1000,
    graceMs: 2_000,
    stopSignal: "SIGTERM",
    namespace: "default",
    needs: [],
    env: Object.fromEntries(
      Object.entries(launch.env).map(([key, value]) => [key, value.replaceAll("$", "$$$$")]),
    ),
    secrets: {},
    volumes: [],
    rollout: {
      order: "start-first",
      batch: 1,
      settleMs: 8_000,
      timeoutMs: 120_000,
      onFailure: "rollback",
    },
    routes: [],
    place: { require: [], prefer: [], spread: "node", avoid: [], near: [] },
  };
}
