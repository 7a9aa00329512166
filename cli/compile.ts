// `deno task compile`: every daemon and the CLI as a program of its own, permissions baked in.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../core/errors.ts";
import {
  permissionFlags,
  type PermissionParameters,
  type Program,
  TASK_PARAMETERS,
} from "../core/permissions.ts";
import { bundleScript, RUNNERS } from "./bundling.ts";
import { rows } from "./help.ts";

/** The programs that become binaries; the local cluster needs the sources. */
export type Binary = Exclude<Program, "cluster">;

/** What is to be compiled, for which machines. Folders are absolute. */
export interface CompilePlan {
  readonly only: readonly Binary[];
  /** Where the binaries go. */
  readonly out: string;
  /** Another platform than this one, as `deno compile --target` names it. */
  readonly target?: string;
  /** What the daemons may connect to, send to and listen on. */
  readonly networks: readonly string[];
  /** The address that the daemons listen on. */
  readonly bind: string;
  /** Each daemon's own state folder is below. */
  readonly state: string;
  /** Folder of the operators' public keys. */
  readonly keys: string;
  readonly manifests?: string;
  readonly certificates?: string;
  readonly home?: string;
}

export const BINARIES: readonly Binary[] = ["conductor", "tower", "node", "ingress", "skr8tr"];

const FLAGS: readonly (readonly [string, string])[] = [
  ["--only NAME,NAME", `which: ${BINARIES.join(",")} (all)`],
  ["--out DIR", "where the binaries go (dist)"],
  [
    "--target PLATFORM",
    "for another platform: aarch64-unknown-linux-gnu, aarch64-apple-darwin, ...",
  ],
  [
    "--network CIDR",
    "where the daemons' peers, replicas and clients are; repeatable (127.0.0.0/8)",
  ],
  ["--bind IP", "the address that daemons listen on, if it is in none of these networks"],
  ["--state DIR", "state of the daemons, each in a folder of its own (/var/lib/skr8tr)"],
  ["--keys DIR", "folder of the operators' public keys (/etc/skr8tr)"],
  ["--manifests DIR", "lets the conductor read manifests by path (v1 SUBMIT)"],
  ["--certificates DIR", "lets the ingress read certificates"],
  ["--home DIR", "lets the CLI write only to DIR/.skr8tr and the current folder"],
  ["--dry-run", "print the commands, and do nothing"],
  ["--help", "print this"],
];

/** The text of `--help`. */
export function compileHelp(): string {
  return [
    "deno task compile: the daemons and the CLI as programs that need no Deno",
    "",
    "Permissions are baked into each: what is given here cannot be widened when it is started.",
    "",
    ...rows(FLAGS, 100),
    "",
    "DENORT_BIN=FILE names the base binary (denort) where Deno cannot fetch it.",
    "A compiled node needs the folder runners beside it, and a deno on its --path, for `serve`,",
    "`type wasm` and `type vm`.",
  ].join("\n");
}

/**
 * Reads the flags.
 *
 * @param folder what relative folders start from
 * @throws {Failure} `usage`.
 */
export function readPlan(args: readonly string[], folder: string): CompilePlan {
  const parsed = parseArgs(args, {
    string: [
      ...["only", "out", "target", "network", "bind", "state", "keys", "manifests"],
      ...["certificates", "home", "_"],
    ],
    boolean: ["dry-run", "help"],
    collect: ["network"],
    unknown: (arg) => {
      throw new Failure("usage", `deno task compile does not know ${arg}; --help lists its flags`);
    },
  });
  const text = (name: string): string | undefined => {
    const value: unknown = parsed[name];
    if (value === "") throw new Failure("usage", `--${name} needs a value`);
    return value === undefined ? undefined : String(value);
  };
  const path = (name: string): string | undefined => {
    const value = text(name);
    return value === undefined || value.startsWith("/") ? value : `${folder}/${value}`;
  };
  const only = text("only")?.split(",") ?? BINARIES;
  const unknown = only.find((name) => !(BINARIES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new Failure("usage", `--only knows ${BINARIES.join(", ")}, not ${unknown}`);
  }
  const networks = [parsed.network ?? []].flat().map(String);
  const optional = {
    target: text("target"),
    manifests: path("manifests"),
    certificates: path("certificates"),
    home: path("home"),
  };
  return {
    only: only as readonly Binary[],
    out: path("out") ?? `${folder}/dist`,
    networks: networks.length > 0 ? networks : TASK_PARAMETERS.tower.networks,
    bind: text("bind") ?? networks[0]?.replace(/\/.*$/, "") ?? TASK_PARAMETERS.tower.bind,
    state: path("state") ?? "/var/lib/skr8tr",
    keys: path("keys") ?? "/etc/skr8tr",
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

/** The binary's file name: `skr8tr` is the CLI, `skr8tr-node` the node. */
export function fileOf(binary: Binary): string {
  return binary === "skr8tr" ? binary : `skr8tr-${binary}`;
}

const ENTRIES: { readonly [B in Binary]: string } = {
  conductor: "conductor/main.ts",
  tower: "tower/main.ts",
  node: "node/main.ts",
  ingress: "ingress/main.ts",
  skr8tr: "cli/main.ts",
};

/**
 * The arguments of `deno` that make one binary, to be run in the project's folder.
 *
 * Bundled (`--bundle`), for two reasons: unbundled, Deno 2.9.6 overflows its stack over the
 * circular modules of prom-client; and a bundle embeds the workers that are started by
 * `new URL("./x.worker.ts", import.meta.url)` and rewrites these, so that none has to be included
 * by hand. `--deny-import` because `--no-remote` is not baked in.
 */
export function compileArgs(binary: Binary, plan: CompilePlan): string[] {
  const target = plan.target === undefined ? [] : [`--target=${plan.target}`];
  const state = `${plan.state}/${binary}`;
  return [
    "compile",
    "--quiet",
    "--bundle",
    "--no-check",
    "--config=deno.json",
    ...permissionsOf(binary, plan),
    "--deny-import",
    ...target,
    `--output=${plan.out}/${fileOf(binary)}`,
    ENTRIES[binary],
    // Its first arguments, which later ones override: a place that it may write to.
    ...(binary === "skr8tr" ? [] : [`--state=${state}`]),
  ];
}

function permissionsOf(binary: Binary, plan: CompilePlan): string[] {
  const { bind, networks, keys, manifests, certificates, home } = plan;
  const state = `${plan.state}/${binary}`;
  const parameters: Omit<PermissionParameters, "cluster"> = {
    tower: { bind, networks, state },
    conductor: {
      ...{ bind, networks, state, pubkeys: [keys] },
      ...(manifests === undefined ? {} : { manifests }),
    },
    node: { bind, networks, state, pubkeys: [keys] },
    ingress: {
      ...{ bind, networks },
      ...(certificates === undefined ? {} : { certificates: [certificates] }),
      state,
    },
    skr8tr: home === undefined ? {} : { home },
  };
  return permissionFlags(binary, parameters[binary]);
}

/** Why `deno compile` failed, from what it wrote, with what to do about it. */
export function compileFailure(binary: Binary, plan: CompilePlan, said: string): Failure {
  const plain = said.trim();
  const missing = /Could not find denort at '(.*)'/.exec(plain);
  if (missing) {
    return new Failure("no-base", `DENORT_BIN names no base binary: there is no ${missing[1]}`);
  }
  if (/base binary|denort/i.test(plain)) {
    const file = `denort-${plan.target ?? Deno.build.target}.zip`;
    return new Failure(
      "no-base",
      `cannot compile ${binary}: Deno fetches a base binary (denort) for each platform, and could ` +
        `not. Take ${file} of Deno ${Deno.version.deno}'s release on a machine with a network, ` +
        "unpack it here, and run this again with DENORT_BIN=FILE. Deno said:\n" +
        plain.split("\n").filter((line) => line.trim() !== "").slice(0, 6).join("\n"),
    );
  }
  return new Failure("compile", `cannot compile ${binary}: ${plain}`);
}

/**
 * Compiles the binaries, one after another, and bundles the node's runners beside them.
 *
 * @throws {Failure} `no-base`, `compile`, `bundle`.
 */
export async function compile(
  plan: CompilePlan,
  root: string,
  say: (line: string) => void,
): Promise<void> {
  await Deno.mkdir(plan.out, { recursive: true });
  for (const binary of plan.only) {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: compileArgs(binary, plan),
      cwd: root,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw compileFailure(binary, plan, new TextDecoder().decode(stderr));
    say(`${plan.out}/${fileOf(binary)}`);
  }
  if (!plan.only.includes("node")) return;
  // A node starts these as processes of their own, which cannot read what is inside its program.
  await Deno.mkdir(`${plan.out}/runners`, { recursive: true });
  for (const [file, entry] of Object.entries(RUNNERS)) {
    await bundleScript(root, entry, `${plan.out}/runners/${file}`);
    say(`${plan.out}/runners/${file}`);
  }
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");
  try {
    if (Deno.args.includes("--help")) {
      console.log(compileHelp());
    } else {
      const plan = readPlan(Deno.args, root);
      if (Deno.args.includes("--dry-run")) {
        for (const binary of plan.only) console.log(`deno ${compileArgs(binary, plan).join(" ")}`);
      } else await compile(plan, root, (line) => console.log(line));
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(error.code === "usage" ? 2 : 1);
  }
}
