/**
 * The permissions of every program, in one place, least first. A program gets what stands here and
 * nothing more: `--no-prompt` makes everything else an error instead of a question.
 *
 * Networks are CIDRs (all ports) or single addresses. They bound what a program may connect to, send
 * to and listen on; Deno does not tell these apart.
 */

import { inNetworks } from "./address.ts";
import { Failure } from "./errors.ts";

/** What a program's permissions depend on. Folders and files are paths as the program is given them. */
export interface PermissionParameters {
  readonly tower: Daemon & {
    /** Folder of `--state`, where it keeps its identity; absent while the mesh is open. */
    readonly state?: string;
  };
  readonly conductor: Daemon & {
    readonly state: string;
    readonly pubkeys: readonly string[];
    /** Folder of `--manifests`. */
    readonly manifests?: string;
    /**
     * Files of `--at-rest-key`, `--syslog-ca` and `--sso`. Where the audit is sent, and the issuer of
     * single sign-on, are among its networks.
     */
    readonly files?: readonly string[];
  };
  readonly node: Daemon & {
    readonly state: string;
    readonly pubkeys: readonly string[];
    /**
     * The project's folder with a slash at its end, empty for the current one; absent where the
     * workers are embedded in the program (`deno task compile`).
     */
    readonly root?: string;
    /** The workers' files where they are not in the project's folder, but bundled. */
    readonly workers?: readonly string[];
  };
  readonly ingress: Daemon & {
    /** Folders or files of `--tls-cert`, `--tls-key` and `--acme-ca`. */
    readonly certificates?: readonly string[];
    /** Folder of `--state`, where it keeps its identity and the certificates that it fetches. */
    readonly state?: string;
    /** The file of its workers, where it is bundled. */
    readonly worker?: string;
  };
  /** Without a home it may write anywhere that its account may. */
  readonly skr8tr: { readonly home?: string };
  readonly cluster: { readonly networks: readonly string[] };
}

interface Daemon {
  /** The address that it listens on. */
  readonly bind: string;
  /** Where its peers and clients are. */
  readonly networks: readonly string[];
}

const LOCAL: Daemon = { bind: "127.0.0.1", networks: ["127.0.0.0/8"] };

export type Program = keyof PermissionParameters;

/**
 * The flags for `deno run`, in a fixed order.
 *
 * @throws {Failure} `usage` for a path that cannot be written in a flag.
 */
export function permissionFlags<P extends Program>(
  program: P,
  parameters: PermissionParameters[P],
): string[] {
  return [...EVERY_PROGRAM, ...BUILDERS[program](parameters)];
}

/**
 * Deno lets every program import from deno.land, jsr.io, esm.sh and GitHub while it runs, whatever
 * its networks are; ours need only npm packages, which are in the cache. (With `jsr:` in the import
 * map this becomes `--allow-import=jsr.io:443`.)
 */
const EVERY_PROGRAM: readonly string[] = ["--no-prompt", "--no-remote"];

/**
 * For the daemons that keep books and compute little: V8 favours memory over speed. Conductor and
 * tower hold 4 MB less by it, and the conductor of 5,000 nodes 198 MB instead of 437, for 16 % of a
 * core instead of 11 (`deno task bench memory fleet`). Without the second of V8's optimizing
 * compilers they hold 6 MB less; what is hot gets the better one all the same.
 */
const FRUGAL = "--v8-flags=--optimize-for-size,--no-maglev";

/**
 * The environment that a program is started with, besides what it inherits.
 *
 * `DENO_NO_UPDATE_CHECK`: else Deno itself, past every permission, asks its own site for a newer
 * release half a second after a start.
 *
 * `MALLOC_ARENA_MAX`: glibc gives threads heaps of their own, and what was freed in one stays there;
 * with one heap conductor and tower hold 3 MB less. Other C libraries pass over the variable.
 */
export function environmentOf(program: Program): Readonly<Record<string, string>> {
  return {
    DENO_NO_UPDATE_CHECK: "1",
    ...(program === "conductor" || program === "tower" ? { MALLOC_ARENA_MAX: "1" } : {}),
  };
}

const BUILDERS: { readonly [P in Program]: (parameters: PermissionParameters[P]) => string[] } = {
  /** Keeps on disk who it is and whom it knows, nothing of the registry. */
  tower: (of) => [
    FRUGAL,
    net(of),
    ...(of.state === undefined ? [] : [flag("read", [of.state]), flag("write", [of.state])]),
  ],
  conductor: (of) => [
    FRUGAL,
    net(of),
    flag("read", [
      of.state,
      ...of.pubkeys,
      ...(of.manifests === undefined ? [] : [of.manifests]),
      ...of.files ?? [],
    ]),
    flag("write", [of.state]),
  ],
  /**
   * Starts any program of its account: that is what a node is for. What it starts is bounded by the
   * account, by systemd and by `sandbox`, not by these flags.
   */
  node: (of) => [
    // 0.0.0.0: whether a port is free on all addresses is found out by listening there.
    flag("net", [...networksOf(of), "0.0.0.0"]),
    flag("read", [
      of.state,
      ...of.pubkeys,
      ...(of.workers ?? []),
      ...(of.root === undefined ? [] : NODE_WORKERS.map((file) => `${of.root}${file}`)),
    ]),
    flag("write", [of.state]),
    flag("env", NODE_ENVIRONMENT),
    "--allow-run",
  ],
  ingress: (of) => {
    const state = of.state === undefined ? [] : [of.state];
    const worker = of.worker === undefined ? [] : [of.worker];
    const read = [...state, ...of.certificates ?? [], ...worker];
    return [
      net(of),
      ...(read.length > 0 ? [flag("read", read)] : []),
      ...(state.length > 0 ? [flag("write", state)] : []),
    ];
  },
  /** Manifests may lie anywhere; the conductor, too. */
  skr8tr: ({ home }) => [
    // No permission: without it Deno reads every file of every command before it runs one.
    "--unstable-lazy-dynamic-imports",
    "--allow-net",
    "--allow-read",
    home === undefined ? "--allow-write" : flag("write", [".", `${home}/.skr8tr`]),
    flag("env", ENVIRONMENT),
    // `build` of a manifest is a line for the shell, and so may do whatever its operator may.
    flag("run", ["/bin/sh"]),
  ],
  /**
   * Starts the daemons and, through them, any program, and its state folder may be anywhere: it is
   * its account's equal and only kept off the network.
   */
  cluster: ({ networks }) => [
    flag("net", networks),
    "--allow-read",
    "--allow-write",
    flag("env", ["NO_COLOR"]),
    "--allow-run",
  ],
};

/**
 * The setup of the tasks in deno.json: all on this machine, state in `.skr8tr`, the operator's
 * public key where `skr8tr keygen` puts it. Another setup takes flags of its own from here.
 */
export const TASK_PARAMETERS: PermissionParameters = {
  tower: { ...LOCAL, state: ".skr8tr" },
  conductor: { ...LOCAL, state: ".skr8tr", pubkeys: ["skrtrview.pub"] },
  node: { ...LOCAL, state: ".skr8tr", pubkeys: ["skrtrview.pub"], root: "" },
  ingress: { ...LOCAL, state: ".skr8tr" },
  skr8tr: { home: "$HOME" },
  cluster: LOCAL,
};

/** The node's workers and what they import: loaded when it runs, and so by its permissions. */
const NODE_WORKERS: readonly string[] = [
  "node/live/health.worker.ts",
  "node/live/autoscale.worker.ts",
  "node/autoscale.ts",
];

/** By these a node finds the cache of the Deno that its replicas are started with. */
const NODE_ENVIRONMENT: readonly string[] = ["DENO_DIR", "HOME", "XDG_CACHE_HOME"];

/** The environment variables that the CLI looks at. */
const ENVIRONMENT: readonly string[] = [
  "HOME",
  "NO_COLOR",
  "SKR8TR_CONDUCTOR",
  "SKR8TR_KEY",
  "SKR8TR_TOWER",
  "TERM",
  "USERPROFILE",
];

function net(of: Daemon): string {
  return flag("net", networksOf(of));
}

function networksOf({ bind, networks }: Daemon): readonly string[] {
  return inNetworks(bind, networks) ? networks : [bind, ...networks];
}

function flag(name: string, values: readonly string[]): string {
  const comma = values.find((value) => value.includes(","));
  if (comma !== undefined) {
    throw new Failure("usage", `${comma} has a comma, which no list of permissions can carry`);
  }
  return `--allow-${name}=${values.join(",")}`;
}
