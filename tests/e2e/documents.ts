// What the tests of documents share: the blocks of a page, a copy of the project to run them in, and
// a network of its own, where every port is free.

import { assert, assertEquals } from "@std/assert";
import { sweepReplicas } from "../../cli/cluster/sweep.ts";

export const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(
  /\/$/,
  "",
);

/** A fenced block of a page. */
export interface Block {
  readonly info: string;
  readonly text: string;
}

/** All fenced blocks that carry an info string. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\S.*)\n([^]*?)^```$/gm)].map(([, info, text]) => ({
    info: info!,
    text: text!,
  }));
}

/** Shell functions: wait until a command succeeds, end all that was begun in the background. */
export const WAIT = `
wait_until() {
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "waited in vain for: $*"; cat *.output; exit 1
}
stop_all() {
  kill $(jobs -p) 2>/dev/null || true
  wait
}
trap stop_all EXIT
`;

/** `unshare` with what this account needs for a network of its own; `null` where it may have none. */
export async function ownNetwork(): Promise<string[] | null> {
  if (Deno.build.os !== "linux") return null;
  for (const flags of [["--net"], ["--net", "--map-root-user"]]) {
    const { success } = await new Deno.Command("unshare", {
      args: [...flags, "ip", "link", "set", "lo", "up"],
      stdout: "null",
      stderr: "null",
    }).output().catch(() => ({ success: false }));
    if (success) return flags;
  }
  return null;
}

/** The script of somebody who follows a page: saves its files where it says, runs its commands. */
export function scriptOf(markdown: string): string {
  const parts = blocksOf(markdown).map(({ info, text }, at) => {
    const mark = `echo "=== ${at}"`;
    if (info === "sh") return `${mark}\n${text}`;
    if (info === "sh cluster") {
      return `${mark}\n${text.trim()} >cluster.output 2>&1 &\n` +
        "wait_until grep -q 'ready in' cluster.output";
    }
    if (info === "ts" || info === "json") return ""; // deno test --doc; for an editor
    const [, file] = /^\w+ (mine\/\S+)$/.exec(info) ?? [];
    assert(file !== undefined, `a block of ${info}`);
    const folder = file.slice(0, file.lastIndexOf("/"));
    return `mkdir -p ${folder}\ncat >${file} <<'END OF FILE'\n${text}END OF FILE`;
  });
  return `set -e\n${WAIT}\n${parts.join("\n")}\necho "=== end"\n`;
}

/** What a script ended with and said. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a script in a copy of the project and a network of its own, with a home of its own.
 *
 * @param network what `ownNetwork` found
 * @param addresses what the host is called by beside 127.0.0.1
 */
export async function runScript(
  folder: string,
  script: string,
  network: readonly string[],
  addresses: readonly string[] = [],
): Promise<Ran> {
  await Deno.writeTextFile(`${folder}/script.sh`, script);
  await Deno.mkdir(`${folder}/home`);
  const setup = [
    // npm's name for where it was called, which `deno task` takes over: a new terminal has none.
    ...["set -e", "unset INIT_CWD", "ip link set lo up"],
    ...addresses.map((each) => `ip addr add ${each}/24 dev lo`),
    "exec bash script.sh",
  ];
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: [...network, "sh", "-c", setup.join("\n")],
    cwd: folder,
    env: { ...await denoDir(), HOME: `${folder}/home`, NO_COLOR: "1", SKR8TR_KEY: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

/**
 * Follows a page below docs/ in a copy of the project and a network of its own; resolves to what its
 * commands said.
 */
export async function followPage(name: string, network: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-page-" });
  try {
    await copyProject(folder);
    const page = await Deno.readTextFile(`${ROOT}/docs/${name}`);
    const { code, out, err } = await runScript(folder, scriptOf(page), network);
    assertEquals(code, 0, out + err);
    return out;
  } finally {
    const nodes = [1, 2, 3].map((number) => `${folder}/.skr8tr/node-${number}`);
    assertEquals(await sweepReplicas(nodes), [], "replicas were left behind");
    await Deno.remove(folder, { recursive: true });
  }
}

/** The links of a page below docs/ to files of the project, as paths from docs/. */
export async function linksOf(name: string): Promise<string[]> {
  const page = await Deno.readTextFile(`${ROOT}/docs/${name}`);
  return [...page.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!);
}

/** What a clone would have, from the working tree. */
export async function copyProject(folder: string): Promise<void> {
  const parts = [
    ...["conductor", "tower", "node", "ingress", "cli", "market", "core", "docs", "tests", "bench"],
    ...["deno.json", "deno.lock", "mod.ts", "README.md"],
  ];
  const { success, stderr } = await new Deno.Command("cp", {
    args: ["-r", ...parts.map((part) => `${ROOT}/${part}`), folder],
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** The cache of this Deno: the home folder is another one in there. */
async function denoDir(): Promise<{ DENO_DIR: string; PATH: string }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stdout: "piped",
    stderr: "null",
  }).output();
  const own = Deno.execPath().replace(/\/[^/]*$/, "");
  const path = `${own}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`;
  return { DENO_DIR: JSON.parse(new TextDecoder().decode(stdout)).denoDir, PATH: path };
}
