// What a replica's program is: the manifest's own, or one of the node's runners in its place.

import type { AppSpec } from "../core/manifest/spec.ts";
import { substitute } from "../core/manifest/variables.ts";

/** The node's own programs for what is no program by itself. Paths are absolute. */
export interface Runners {
  /** The Deno that runs them; empty where there is none. */
  readonly deno: string;
  /** Folder of the runners' files. */
  readonly folder: string;
  /** The ending of their names: `ts` in the source tree, `js` where they are bundled. */
  readonly ending: "ts" | "js";
}

export type RunnerName = "static";

/** What stands for `${...}`. */
export type Values = Readonly<Record<string, string>>;

/** What is started. */
export interface Command {
  readonly exec: string;
  readonly args: readonly string[];
  /** What must be on this node before anything is started, with what it is to the app. */
  readonly paths: readonly PathCheck[];
}

export interface PathCheck {
  readonly path: string;
  readonly kind: "folder" | "file" | "any";
  /** `its folder`, `its kernel`. */
  readonly what: string;
}

/** What of its node a command depends on. */
export interface CommandAround {
  readonly host: string;
  readonly workdir: string;
  readonly runners?: Runners;
}

/** An absolute path on the node. */
export function resolvePath(path: string, base: string): string {
  return path.startsWith("/") ? path : path === "." ? base : `${base}/${path}`;
}

/** The command of a replica. */
export function commandOf(spec: AppSpec, values: Values, around: CommandAround): Command {
  const args = spec.args.map((each) => substitute(each, values));
  if (spec.serve) return serveCommand(spec.serve, values, around);
  return { exec: substitute(spec.exec ?? "", values), args, paths: [] };
}

/** Why this node cannot run such a command at all; `null` where it can. */
export function lacksRunner(spec: AppSpec, around: CommandAround): string | null {
  if (spec.serve && !around.runners?.deno) return `serve needs ${NO_DENO}`;
  return null;
}

const NO_DENO = "deno, which is neither this node's own program nor on its --path";

function runner(
  name: RunnerName,
  around: CommandAround,
  permissions: readonly string[],
  args: readonly string[],
): Pick<Command, "exec" | "args"> {
  const { deno = "", folder = "", ending = "ts" } = around.runners ?? {};
  const script = `${folder}/${name}.${ending}`;
  return {
    exec: deno,
    args: ["run", "--no-prompt", "--no-remote", ...permissions, script, ...args],
  };
}

/** Reads its folder and listens at its own port: nothing else is allowed to it. */
function serveCommand(
  serve: NonNullable<AppSpec["serve"]>,
  values: Values,
  around: CommandAround,
): Command {
  const folder = resolvePath(substitute(serve.static, values), around.workdir);
  const host = around.host.includes(":") ? `[${around.host}]` : around.host;
  return {
    ...runner(
      "static",
      around,
      [`--allow-read=${folder}`, `--allow-net=${host}:${values.PORT}`],
      [folder, around.host, values.PORT ?? "0", ...(serve.spa ? ["spa"] : [])],
    ),
    paths: [{ path: folder, kind: "folder", what: "its folder" }],
  };
}
