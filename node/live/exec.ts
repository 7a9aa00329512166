// The one-shot EXEC of the v1 wire: a command beside a replica, and all that it printed in one answer.

import { EXEC_MS, EXEC_OUTPUT_BYTES } from "../../core/limits.ts";
import type { LaunchPlan } from "../plan.ts";
import { endGroup, spawnBeside } from "./beside.ts";
import type { Processes } from "./process.ts";
import type { Answer, SignedRequests } from "./requests.ts";

/** Runs what an operator has signed. */
export async function runSigned(
  requests: SignedRequests,
  processes: Processes,
  replica: string,
  body: string,
): Promise<Answer> {
  const exec = await requests.exec(replica, body);
  if ("status" in exec) return exec;
  try {
    const text = await runIn(processes, exec.replica, exec.plan, exec.command);
    return { status: 200, text };
  } catch (error) {
    return { status: 500, text: (error as Error).message };
  }
}

/**
 * Runs a shell command beside a replica; at most `EXEC_MS` long.
 *
 * @returns what it printed, at most `EXEC_OUTPUT_BYTES` of it, without NUL
 */
export async function runIn(
  processes: Processes,
  replica: string,
  plan: LaunchPlan,
  command: string,
): Promise<string> {
  const words = ["/bin/sh", "-c", `exec 2>&1\n${command}`];
  const child = await spawnBeside(processes, replica, plan, { words, stdin: "null" });
  child.stderr.cancel().catch(() => {});
  const timer = setTimeout(() => endGroup(child.pid, "SIGKILL"), EXEC_MS);
  const output = await readSome(child.stdout, EXEC_OUTPUT_BYTES);
  endGroup(child.pid, "SIGKILL");
  await child.status;
  clearTimeout(timer);
  return output.replaceAll("\0", "");
}

/** The text of a stream, at most so many bytes of it. */
async function readSome(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= maxBytes) break;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(bytes.subarray(0, maxBytes));
}
