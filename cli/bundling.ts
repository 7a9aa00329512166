// One program of the project as one file that Deno runs.

import { Failure } from "../core/errors.ts";

/** The node's own programs, which Deno runs as replicas: `serve`, `type wasm`, `type vm`. */
export const RUNNERS: Readonly<Record<string, string>> = {
  "static.js": "node/live/static.ts",
  "wasm.js": "node/live/wasm.ts",
  "vm.js": "node/live/vm.ts",
};

/**
 * Makes one script of a program and all that it imports.
 *
 * @param external packages that stay outside of it
 * @throws {Failure} `bundle`.
 */
export async function bundleScript(
  root: string,
  entry: string,
  path: string,
  external: readonly string[] = [],
): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform=deno", "--no-remote", `--output=${path}`],
      ...external.map((name) => `--external=${name}`),
      entry,
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  throw new Failure("bundle", `cannot bundle ${entry}: ${new TextDecoder().decode(stderr).trim()}`);
}
