// What a replica's program is: the manifest's own, or one of the node's runners in its place.

import type { AppSpec } from "../core/manifest/spec.ts";
import { substitute } from "../core/manifest/variables.ts";
import { checksOf, planVm, VM_SOCKET, vmFault } from "./vm.ts";

/** The node's own programs for what is no program by itself. Paths are absolute. */
export interface Runners {
  /** The Deno that runs them, or its name on the node's path; empty where there is none. */
  readonly deno: string;
  /** Folder of the runners' files. */
  readonly folder: string;
  /** The ending of their names: `ts` in the source tree, `js` where they are bundled. */
  readonly ending: "ts" | "js";
  /** Of the machine, as Deno names it. */
  readonly arch: string;
  /** They are files beside a compiled node, which may not be there. */
  readonly apart?: true;
}

export type RunnerName = "static" | "wasm" | "vm";

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
  readonly kind: "folder" | "file" | "any" | "program";
  /** `its folder`, `its kernel`. */
  readonly what: string;
  /** What to do where it is missing. */
  readonly remedy?: string;
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

/** The command of a replica. @param home the replica's own folder */
export function commandOf(
  spec: AppSpec,
  values: Values,
  home: string,
  around: CommandAround,
): Command {
  const args = spec.args.map((each) => substitute(each, values));
  if (spec.serve) return serveCommand(spec.serve, values, around);
  if (spec.type === "wasm") return wasmCommand(spec, args, values, around);
  if (spec.vm) return vmCommand(spec, spec.vm, values, home, around);
  return { exec: substitute(spec.exec ?? "", values), args, paths: [] };
}

/** Why this node cannot run such a command at all; `null` where it can. */
export function lacksRunner(spec: AppSpec, around: CommandAround): string | null {
  const what = spec.serve ? "serve" : spec.type === "wasm" || spec.vm ? `type ${spec.type}` : null;
  if (what !== null && !around.runners?.deno) return `${what} needs ${NO_DENO}`;
  if (spec.type === "wasm") return wasmFault(spec);
  return spec.vm ? vmFault(spec) : null;
}

/** What a module of WASI preview 1 cannot do on any node. */
function wasmFault({ port, sandbox }: AppSpec): string | null {
  if (port) return "a module of WASI preview 1 cannot listen: it can have no port";
  if (sandbox && sandbox.net.length > 0) {
    return "a module of WASI preview 1 has no network: its sandbox can have no net";
  }
  return null;
}

const NO_DENO = "deno, which this node does not have";

/** A compiled node holds no Deno that could run anything but the node itself. */
const GET_DENO =
  "install Deno there and name its folder in the node's --path, or run the node from " +
  "a bundle, which brings its own";
const GET_RUNNERS = "put the folder `runners` that was compiled with the node beside its program";

function runner(
  name: RunnerName,
  around: CommandAround,
  permissions: readonly string[],
  args: readonly string[],
): Command {
  const { deno = "", folder = "", ending = "ts", apart } = around.runners ?? {};
  const script = `${folder}/${name}.${ending}`;
  return {
    exec: deno,
    args: ["run", "--no-prompt", "--no-remote", ...permissions, script, ...args],
    paths: apart
      ? [
        { path: deno, kind: "program", what: "what a compiled node runs it by,", remedy: GET_DENO },
        { path: script, kind: "file", what: "what the node runs it by,", remedy: GET_RUNNERS },
      ]
      : [],
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
  const command = runner(
    "static",
    around,
    [`--allow-read=${folder}`, `--allow-net=${host}:${values.PORT}`],
    [folder, around.host, values.PORT ?? "0", ...(serve.spa ? ["spa"] : [])],
  );
  return {
    ...command,
    paths: [
      ...command.paths,
      { path: folder, kind: "folder", what: "its folder" },
    ],
  };
}

/**
 * The module's folders are those of its sandbox; without one it has none. The runner may read these
 * and the module, and write what is granted for reading only where Deno's own WASI insists on it:
 * it then refuses itself (node/live/wasm.ts).
 */
function wasmCommand(
  spec: AppSpec,
  words: readonly string[],
  values: Values,
  around: CommandAround,
): Command {
  const at = (path: string) => resolvePath(substitute(path, values), around.workdir);
  const module = at(spec.exec ?? "");
  const read = spec.sandbox?.read.map(at) ?? [];
  const write = spec.sandbox?.write.map(at) ?? [];
  const folders = [...read, ...write];
  const grants = [...read.map((path) => `r:${path}`), ...write.map((path) => `w:${path}`)];
  const command = runner(
    "wasm",
    around,
    [
      `--allow-read=${[module, ...folders].join(",")}`,
      ...(folders.length === 0 ? [] : [`--allow-write=${folders.join(",")}`]),
      "--allow-env",
    ],
    [module, ...grants, "--", ...words],
  );
  return {
    ...command,
    paths: [
      ...command.paths,
      { path: module, kind: "file", what: "its module" },
      ...folders.map((path) => ({ path, kind: "folder", what: "its sandbox's folder" } as const)),
    ],
  };
}

/** The runner starts the hypervisor, and sees the replica's own folder. */
function vmCommand(
  spec: AppSpec,
  vm: NonNullable<AppSpec["vm"]>,
  values: Values,
  home: string,
  around: CommandAround,
): Command {
  const { host, workdir } = around;
  const arch = around.runners?.arch ?? "x86_64";
  const { plan, files } = planVm(spec, vm, values, { host, workdir, arch });
  const command = runner(
    "vm",
    around,
    [
      `--allow-read=${home},/dev/kvm`,
      `--allow-write=${home},/dev/kvm`,
      `--allow-net=unix:${home}/${VM_SOCKET}`,
      "--allow-run=setpriv",
    ],
    [home, JSON.stringify(plan)],
  );
  return {
    ...command,
    paths: [
      ...command.paths,
      { path: plan.program, kind: "program", what: "its hypervisor" },
      {
        path: "setpriv",
        kind: "program",
        what: "what keeps a machine from outliving its replica,",
      },
      ...checksOf(files),
    ],
  };
}
