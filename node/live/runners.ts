// Where the node's own runners are: programs of the project that Deno runs as replicas.

import type { Runners } from "../workload.ts";

/** The runners beside this file, in the source tree or in a bundle, and the Deno that runs them. */
export function findRunners(): Runners {
  const here = decodeURIComponent(new URL(".", import.meta.url).pathname).replace(/\/$/, "");
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  // A compiled program holds its files inside itself, where no other program can read them.
  const { arch } = Deno.build;
  if (Deno.build.standalone) return { deno: "", folder: here, ending, arch };
  return { deno: Deno.execPath(), folder: here, ending, arch };
}
