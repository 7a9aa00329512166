// What the tests of documents share: the blocks of a page, a copy of the project to run them in, and
// a network of its own, where every port is free.

import { assert } from "@std/assert";

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
export async function denoDir(): Promise<{ DENO_DIR: string; PATH: string }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stdout: "piped",
    stderr: "null",
  }).output();
  const own = Deno.execPath().replace(/\/[^/]*$/, "");
  const path = `${own}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`;
  return { DENO_DIR: JSON.parse(new TextDecoder().decode(stdout)).denoDir, PATH: path };
}
