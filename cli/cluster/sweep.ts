/**
 * Kills what is left of the replicas of nodes that have ended; resolves to their ids. With
 * `--stop-replicas` a node leaves none; this is for the node that was killed in the middle.
 */
export async function sweepReplicas(states: readonly string[]): Promise<readonly string[]> {
  const script = decodeURIComponent(new URL("sweep.sh", import.meta.url).pathname);
  const { stdout } = await new Deno.Command("sh", {
    args: [script, ...states],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}
