// For tests: a program whose HOME is another one finds there what Deno has fetched already.

/**
 * Where this Deno keeps what it has fetched (Linux). A program of a test that has a HOME of its own is
 * given it as DENO_DIR: else it would fetch all packages anew, from a registry that may be slow or away.
 */
export function denoFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${cache}/deno`;
}
