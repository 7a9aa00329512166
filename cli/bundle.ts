// `deno task bundle`: every daemon and the CLI as a script in one file, beside a copy of Deno. What
// comes out runs on any machine of the platform with nothing installed.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../core/errors.ts";
import { environmentOf, permissionFlags } from "../core/permissions.ts";
import { VERSION } from "../core/version.ts";
import { bundleScript, RUNNERS } from "./bundling.ts";
import { BINARIES, type Binary } from "./compile.ts";

/** What becomes a file of `lib`, and of what. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "conductor.js": "conductor/main.ts",
  "tower.js": "tower/main.ts",
  "node.js": "node/main.ts",
  "ingress.js": "ingress/main.ts",
  "skr8tr.js": "cli/main.ts",
  "health.worker.js": "node/live/health.worker.ts",
  "autoscale.worker.js": "node/live/autoscale.worker.ts",
  "ingress.worker.js": "ingress/live/worker.ts",
  ...RUNNERS,
};

/** How the bundled scripts name their workers; the bundler leaves these names as they are. */
const WORKERS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "node.js": [
    ["./health.worker.ts", "./health.worker.js"],
    ["./autoscale.worker.ts", "./autoscale.worker.js"],
  ],
  "ingress.js": [["./worker.ts", "./ingress.worker.js"]],
};

const HELP = `deno task bundle: the daemons and the CLI as scripts beside a copy of Deno

  --out DIR   where they go (dist/skr8tr)
  --help      print this

  bin/skr8tr              the CLI
  bin/skr8tr-conductor    and -tower, -node, -ingress: the daemons. Their environment says what
                          their permissions are: SKR8TR_BIND, SKR8TR_NETWORKS (CIDRs with commas
                          between), SKR8TR_STATE, SKR8TR_KEYS (folder of the operators' public keys)
  lib/                    one file each
  deno                    the runtime`;

/** Makes the bundle. @throws {Failure} `bundle`. */
export async function bundle(
  root: string,
  out: string,
  say: (line: string) => void,
): Promise<void> {
  await Deno.mkdir(`${out}/lib`, { recursive: true });
  await Deno.mkdir(`${out}/bin`, { recursive: true });
  for (const [script, entry] of Object.entries(SCRIPTS)) {
    await bundleScript(root, entry, `${out}/lib/${script}`);
    await nameWorkers(`${out}/lib/${script}`, WORKERS[script] ?? []);
  }
  for (const binary of BINARIES) {
    const path = `${out}/bin/${nameOf(binary)}`;
    await Deno.writeTextFile(path, wrapperOf(binary), { mode: 0o755 });
    await Deno.chmod(path, 0o755);
    say(path);
  }
  await Deno.remove(`${out}/deno`).catch(() => {});
  await Deno.copyFile(Deno.execPath(), `${out}/deno`);
  await Deno.chmod(`${out}/deno`, 0o755);
}

async function nameWorkers(
  path: string,
  names: readonly (readonly [string, string])[],
): Promise<void> {
  let text = await Deno.readTextFile(path);
  for (const [from, to] of names) {
    const before = `new URL("${from}", import.meta.url)`;
    if (!text.includes(before)) throw new Failure("bundle", `${path} starts no worker ${from}`);
    text = text.replaceAll(before, `new URL("${to}", import.meta.url)`);
  }
  await Deno.writeTextFile(path, text);
}

function nameOf(binary: Binary): string {
  return binary === "skr8tr" ? binary : `skr8tr-${binary}`;
}

const BIND = "$SKR8TR_BIND";
const STATE = "$SKR8TR_STATE";
const KEYS = "$SKR8TR_KEYS";

/** The permissions of a program, with the shell's variables in place of what is only known later. */
function flagsOf(binary: Binary): readonly string[] {
  const daemon = { bind: BIND, networks: ["$SKR8TR_NETWORKS"] };
  switch (binary) {
    case "tower":
      return permissionFlags("tower", { ...daemon, state: STATE });
    case "conductor":
      return permissionFlags("conductor", { ...daemon, state: STATE, pubkeys: [KEYS] });
    case "node":
      return permissionFlags("node", {
        ...daemon,
        state: STATE,
        pubkeys: [KEYS],
        workers: ["$here/lib/health.worker.js", "$here/lib/autoscale.worker.js"],
      });
    case "ingress":
      return permissionFlags("ingress", {
        ...daemon,
        certificates: ["$SKR8TR_CERTIFICATES"],
        state: STATE,
        worker: "$here/lib/ingress.worker.js",
      });
    case "skr8tr":
      return permissionFlags("skr8tr", { home: "$HOME" }).map((flag) =>
        flag.replace("--allow-write=.,", "--allow-write=$SKR8TR_WRITES,")
      );
  }
}

/** The program that people and systemd start. */
export function wrapperOf(binary: Binary): string {
  const flags = flagsOf(binary).map((flag) => flag.includes("$") ? `"${flag}"` : flag);
  const isDaemon = binary !== "skr8tr";
  const setup = isDaemon
    ? [
      ': "${SKR8TR_BIND:=127.0.0.1}" "${SKR8TR_NETWORKS:=127.0.0.0/8}"',
      `: "\${SKR8TR_STATE:=/var/lib/skr8tr/${binary}}" "\${SKR8TR_KEYS:=/etc/skr8tr}"`,
      ...(binary === "ingress" ? [': "${SKR8TR_CERTIFICATES:=/etc/skr8tr/certificates}"'] : []),
    ]
    : [
      ': "${HOME:=/}" "${SKR8TR_WRITES:=.}"',
      // Set up by root, and only then may it write where systemd looks.
      'if [ "${1-}" = install ]; then',
      "  SKR8TR_WRITES=.,/etc/systemd/system,/etc/sysusers.d,/etc/skr8tr",
      "fi",
    ];
  const own = isDaemon ? [`--bind "${BIND}"`, `--state "${STATE}"`] : [];
  return [
    "#!/bin/sh",
    `# skr8tr ${VERSION}: the ${
      isDaemon ? `${binary} daemon` : "CLI"
    }, with the permissions that it needs.`,
    "set -eu",
    'here=$(dirname "$(dirname "$(readlink -f "$0")")")',
    ...setup,
    ...Object.entries(environmentOf(binary)).map(([name, value]) => `export ${name}=${value}`),
    'exec "$here/deno" run --quiet --no-config --unstable-net --unstable-worker-options \\',
    ...flags.map((flag) => `  ${flag} \\`),
    `  "$here/lib/${binary}.js" ${[...own, '"$@"'].join(" ")}`,
    "",
  ].join("\n");
}

/**
 * What a task that makes files does with its command line: `--out DIR`, or `--help`. A failure is said
 * in one line and ends the process with 1.
 *
 * @param standard where the files go by default, from the project's folder
 */
export async function runMaking(
  help: string,
  standard: string,
  make: (root: string, out: string, say: (line: string) => void) => Promise<unknown>,
): Promise<void> {
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");
  const parsed = parseArgs(Deno.args, { string: ["out"], boolean: ["help"] });
  if (parsed.help) return console.log(help);
  const out = String(parsed.out ?? standard);
  try {
    await make(root, out.startsWith("/") ? out : `${root}/${out}`, (line) => console.log(line));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}

if (import.meta.main) await runMaking(HELP, "dist/skr8tr", bundle);
