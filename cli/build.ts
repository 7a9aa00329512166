// `build` of a manifest: run here, before anything is sent.

import { Failure } from "../core/errors.ts";
import type { AppSpec } from "../core/manifest/spec.ts";

/**
 * Runs an app's build in its manifest's folder, by the shell; what it writes goes to stderr.
 *
 * @throws {Failure} `build` where it fails, or does not make what `out` names.
 */
export async function build(spec: AppSpec, folder: string): Promise<void> {
  if (!spec.build) return;
  const { run, out } = spec.build;
  const { code, signal } = await start(run, folder);
  if (code !== 0) {
    const how = signal === null ? `exited with code ${code}` : `ended by ${signal}`;
    throw new Failure("build", `${spec.name}: its build ${how}: ${run}`);
  }
  if (out === undefined) return;
  const path = out.startsWith("/") ? out : `${folder}/${out}`;
  try {
    await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Failure("build", `${spec.name}: its build did not make ${path}: ${run}`);
  }
}

async function start(run: string, folder: string): Promise<Deno.CommandStatus> {
  try {
    const child = new Deno.Command("/bin/sh", {
      // Whatever it prints is no result of this command.
      args: ["-c", `exec >&2\n${run}`],
      cwd: folder,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    return await child.status;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Failure("build", "a build needs the permission to run programs: --allow-run=/bin/sh");
  }
}
