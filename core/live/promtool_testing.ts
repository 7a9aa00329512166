// Prometheus's own judge of metrics and rules, for tests.

import { assertEquals } from "@std/assert";

/** Runs promtool, which must have nothing at all to say of what it reads; says so where it is missing. */
export async function promtool(args: readonly string[], input = ""): Promise<void> {
  let child: Deno.ChildProcess;
  try {
    const piped = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    child = new Deno.Command("promtool", { args: [...args], ...piped }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return console.log("not run: promtool is not installed (Debian: prometheus)");
  }
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  // Of rules it tells how many it has found, of metrics only what is wrong.
  assertEquals([code, args[1] === "metrics" ? said : ""], [0, ""], said);
}
