// `sandbox` of a manifest: a Deno program gets permission flags, a native one a view of the file
// system with nothing in it but what it was granted, an account of its own, and no new privileges.

import { sha256Hex } from "../core/bytes.ts";
import type { AppSpec, SandboxSpec } from "../core/manifest/spec.ts";
import { substitute } from "../core/manifest/variables.ts";
import { type PathCheck, resolvePath, type Values } from "./workload.ts";

/** What this node can enforce. Absolute paths; empty where there is no such program. */
export interface FenceTools {
  /** bubblewrap. */
  readonly bwrap: string;
  readonly setpriv: string;
  readonly env: string;
  /** Whether the node runs as root, and so may start programs as others. */
  readonly root: boolean;
}

/** How a native program is fenced in; realised by `fenceCommand()`. */
export interface Fence {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** False: it has no network at all, not even loopback. */
  readonly net: boolean;
}

/** What a sandbox makes of a command. */
export interface Sandboxed {
  readonly args: readonly string[];
  readonly fence?: Fence;
  /** The account it runs under, made of the app's name. */
  readonly uid?: number;
  readonly paths: readonly PathCheck[];
}

export interface SandboxAround {
  readonly host: string;
  readonly workdir: string;
  readonly state?: string;
  readonly fence?: FenceTools;
}

/** Accounts that belong to nobody else by name: the range that systemd hands out, too. */
const FIRST_UID = 61_184;
const UIDS = 4_336;

/** The account of an app with `user auto`: the same on each node and at each start. */
export function autoUid(app: string): number {
  return FIRST_UID + Number.parseInt(sha256Hex(app).slice(0, 8), 16) % UIDS;
}

/** Whether a program is Deno itself, so that its permissions can be the fence. */
export function isDeno(exec: string): boolean {
  return /(^|\/)deno$/.test(exec);
}

/** Flags by which a Deno program would grant itself more than its sandbox says. */
const OWN_FLAGS = /^(-A|-P|-[RWNESI](=.*)?|--(allow|deny|ignore|permission)-.*)$/;

/** Why this node cannot hold an app to its sandbox; `null` where it can. */
export function sandboxFault(spec: AppSpec, around: SandboxAround): string | null {
  const { sandbox } = spec;
  // What a module may is its sandbox's business alone, and a machine is one already.
  if (!sandbox || spec.type === "wasm" || spec.type === "vm") return null;
  const tools = around.fence;
  if (wantsOwnUser(spec) && !(tools?.root && tools.setpriv)) {
    return "this node cannot give it a user of its own: that needs root and setpriv";
  }
  if (isDeno(spec.exec ?? "")) return denoFault(spec);
  if (!tools?.bwrap) return "this node cannot enforce its sandbox: bubblewrap (bwrap) is missing";
  const { net } = sandbox;
  if (net.includes("*") || (net.length === 0 && !spec.port)) return null;
  return "this node cannot narrow a native program's network: in its sandbox `net *` allows all of " +
    "it, and without net and port it has none";
}

/** What is wrong with the sandbox of a Deno program on every node. */
function denoFault({ args }: AppSpec): string | null {
  if (args[0] !== "run") {
    return "a sandbox needs the words of a Deno program to begin with run";
  }
  const own = denoFlags(args).find((word) => OWN_FLAGS.test(word));
  return own === undefined
    ? null
    : `its sandbox says what it may do, and so its args must not: ${own}`;
}

/** The words between `run` and the script, which are Deno's own. */
function denoFlags(args: readonly string[]): readonly string[] {
  const script = args.findIndex((word, at) => at > 0 && !word.startsWith("-"));
  return args.slice(1, script < 0 ? undefined : script);
}

/** `user auto`, or a native program on a node that can give it one. */
function wantsOwnUser(spec: AppSpec): boolean {
  return spec.sandbox?.user === "auto";
}

/**
 * The command in its sandbox.
 *
 * @param exec the program, with its variables replaced
 * @param home the replica's own folder
 */
export function sandboxed(
  spec: AppSpec,
  command: { readonly exec: string; readonly args: readonly string[] },
  values: Values,
  home: string,
  around: SandboxAround,
): Sandboxed {
  const { sandbox } = spec;
  const { args } = command;
  if (!sandbox || spec.type === "wasm" || spec.type === "vm") return { args, paths: [] };
  const native = !isDeno(command.exec);
  const unfenced = sandboxFault(spec, around) !== null;
  // Only reached with `optional yes`: what cannot be enforced is left out.
  if (unfenced && (native || denoFault(spec) !== null)) return { args, paths: [] };
  const grants = grantsOf(spec, sandbox, values, home, around);
  const named = [...sandbox.read, ...sandbox.write].map((path): PathCheck => ({
    path: resolvePath(substitute(path, values), around.workdir),
    kind: "any",
    what: "what its sandbox names,",
  }));
  const own = around.fence?.root && around.fence.setpriv && (native || wantsOwnUser(spec)) &&
    (sandbox.user ?? spec.user ?? "auto") === "auto";
  const uid = own ? { uid: autoUid(spec.name) } : {};
  if (native) {
    const cwd = spec.cwd === undefined
      ? []
      : [resolvePath(substitute(spec.cwd, values), around.workdir)];
    const read = [...grants.read, ...cwd];
    const fence = { read, write: grants.write, net: sandbox.net.includes("*") };
    return { args, fence, ...uid, paths: named };
  }
  const flags = denoPermissions(sandbox, grants, values, around.host);
  return { args: ["run", ...flags, ...args.slice(1)], ...uid, paths: named };
}

/** What the sandbox names, and what is the replica's own anyway. */
function grantsOf(
  spec: AppSpec,
  sandbox: SandboxSpec,
  values: Values,
  home: string,
  around: SandboxAround,
): { readonly read: readonly string[]; readonly write: readonly string[] } {
  const at = (path: string) => resolvePath(substitute(path, values), around.workdir);
  const volumes = spec.volumes.map(({ path }) =>
    path.startsWith("/") ? path : `${around.state ?? ""}/volumes/${path}`
  );
  const artifact = values.ARTIFACT === undefined ? [] : [values.ARTIFACT];
  return {
    read: [...sandbox.read.map(at), ...artifact],
    write: [home, ...sandbox.write.map(at), ...volumes],
  };
}

/** Its environment is what the manifest gives it, so all of that may be read. */
function denoPermissions(
  sandbox: SandboxSpec,
  { read, write }: { readonly read: readonly string[]; readonly write: readonly string[] },
  values: Values,
  host: string,
): readonly string[] {
  const own = values.PORT === undefined
    ? []
    : [`${host.includes(":") ? `[${host}]` : host}:${values.PORT}`];
  const net = [...own, ...sandbox.net];
  return [
    "--no-prompt",
    "--no-remote",
    `--allow-read=${[...read, ...write].join(",")}`,
    `--allow-write=${write.join(",")}`,
    ...(net.length === 0
      ? []
      : [net.includes("*") ? "--allow-net" : `--allow-net=${net.join(",")}`]),
    "--allow-env",
  ];
}

/** Every folder that paths stand in, from the top; those of the system are there anyway. */
function foldersAbove(paths: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/").slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      folders.add(`/${parts.slice(0, depth).join("/")}`);
    }
  }
  return [...folders].filter((path) =>
    !SYSTEM.some((folder) => path === folder || path.startsWith(`${folder}/`))
  );
}

/** Signals that are for the program and must not end what stands around it. */
const PASSED = "HUP,INT,QUIT,TERM,USR1,USR2,ALRM";

/** Where programs and their libraries are on any Linux; what is not there is passed over. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
const SETTINGS = [
  "alternatives",
  "ca-certificates",
  "group",
  "hosts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "nsswitch.conf",
  "passwd",
  "resolv.conf",
  "ssl",
];

/**
 * The command that runs a program in its fence: the system read-only, its own folders, nothing else.
 * bubblewrap stands between the launcher and the program; a signal to the group must not end it
 * before the program has ended, and so it ignores what the program gets.
 *
 * @param program absolute
 */
export function fenceCommand(
  fence: Fence,
  tools: FenceTools,
  program: string,
  cwd: string,
  uid: number | undefined,
): readonly string[] {
  const bind = (flag: string, path: string) => [flag, path, path];
  const inside = SYSTEM.some((folder) => program.startsWith(`${folder}/`));
  const seen = [...fence.read, ...fence.write].some((path) =>
    cwd === path || cwd.startsWith(`${path}/`)
  );
  const drop = tools.setpriv === "" ? [] : [
    tools.setpriv,
    ...(uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"]),
    "--no-new-privs",
    ...(tools.root ? ["--bounding-set=-all", "--inh-caps=-all"] : []),
  ];
  return [
    tools.env,
    `--ignore-signal=${PASSED}`,
    tools.bwrap,
    ...SYSTEM.flatMap((path) => bind("--ro-bind-try", path)),
    ...SETTINGS.flatMap((name) => bind("--ro-bind-try", `/etc/${name}`)),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["/tmp", "/var/tmp"].flatMap((path) => ["--perms", "1777", "--tmpfs", path]),
    // What bubblewrap makes by itself on the way to a path is closed to other accounts.
    ...foldersAbove([program, ...fence.read, ...fence.write]).flatMap((
      path,
    ) => ["--perms", "0755", "--dir", path]),
    ...(inside ? [] : bind("--ro-bind", program)),
    ...fence.read.flatMap((path) => bind("--ro-bind", path)),
    ...fence.write.flatMap((path) => bind("--bind", path)),
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...(fence.net ? [] : ["--unshare-net"]),
    ...["--chdir", seen ? cwd : fence.write[0] ?? "/"],
    "--",
    ...drop,
    tools.env,
    `--default-signal=${PASSED}`,
    program,
  ];
}
