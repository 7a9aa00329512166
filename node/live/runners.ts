// Where the node's own runners are: programs of the project that Deno runs as replicas.

import type { Runners } from "../workload.ts";

/** The runners of this program. */
export function findRunners(): Runners {
  const here = new URL(".", import.meta.url);
  return runnersOf({ ...Deno.build, program: Deno.execPath(), url: import.meta.url, here });
}

/**
 * The runners beside the node's own file, in the source tree or in a bundle, and the Deno that runs
 * them. What a compiled program holds inside itself no other program can read: its runners are in
 * the folder `runners` beside it, and run by the Deno of the node's `--path`.
 *
 * A compiled node does not start itself over as its own runner: the permissions baked into it are the
 * node's, which may start any program and not read a site's folder, and no permission can be narrowed
 * to one folder later. A runner is to have that folder and its port, and nothing else.
 */
export function runnersOf(
  { standalone, arch, program, url, here }: {
    readonly standalone: boolean;
    readonly arch: string;
    /** The file that is executed: Deno, or a compiled node. */
    readonly program: string;
    readonly url: string;
    readonly here: URL;
  },
): Runners {
  if (standalone) {
    const folder = `${program.slice(0, program.lastIndexOf("/"))}/runners`;
    return { deno: "deno", folder, ending: "js", arch, apart: true };
  }
  const folder = decodeURIComponent(here.pathname).replace(/\/$/, "");
  return { deno: program, folder, ending: url.endsWith(".ts") ? "ts" : "js", arch };
}
