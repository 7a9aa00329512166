import { NODE_PORT, readAddress } from "../../core/address.ts";
import { AuditCheck, type Checkpoint } from "../../core/audit.ts";
import { Failure } from "../../core/errors.ts";
import { createVerifier } from "../../core/live/crypto.ts";
import type { Entry } from "../../core/log.ts";
import { parseCopy } from "../../core/copy.ts";
import type { AuditView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { harmless, type Output } from "../output.ts";
import { targetOf } from "../target.ts";

const LINES = 100;

export async function run({ arguments: args, output }: Context): Promise<number> {
  const [verb] = args.positional;
  if (verb === "verify") return await verify(args, output);
  if (verb !== undefined) throw new Failure("usage", `skr8tr audit knows verify, not ${verb}`);
  const target = targetOf(args);
  const app = args.value("app");
  const operator = args.value("operator");
  const query = new URLSearchParams({
    limit: String(args.integer("lines", 1, 10_000, LINES)),
    ...(app === undefined ? {} : { app }),
    ...(operator === undefined ? {} : { operator }),
    ...(args.has("follow") ? { follow: "1" } : {}),
  });
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  for await (const view of conductor.lines<AuditView>(`/api/audit?${query}`)) {
    output.print(args.has("json") ? JSON.stringify(view) : lineOf(view));
  }
  return DONE;
}

function lineOf({ wallMs, sequence, kind, text }: AuditView): string {
  const at = new Date(wallMs).toISOString();
  return `${at}  ${String(sequence ?? "-").padStart(6)}  ${kind.padEnd(9)}  ${harmless(text)}`;
}

/** Looks at the whole log, from a conductor or from its folder. */
async function verify(args: Arguments, output: Output): Promise<number> {
  const verifier = await createVerifier();
  const verifies = (publicKey: string, text: string, signatureHex: string) =>
    verifier.verify(Uint8Array.fromBase64(publicKey), text, signatureHex);
  const check = new AuditCheck(verifies, await rootsOf(args));
  for await (const entry of entriesOf(args)) await check.take(entry);
  for (const from of args.value("nodes")?.split(",") ?? []) {
    for (const checkpoint of await checkpointsOf(from, targetOf(args).timeoutMs)) {
      await check.compare(checkpoint, from);
    }
  }
  const { sequence } = check.head;
  for (const problem of check.problems) output.print(problem);
  if (args.value("pubkey") === undefined) {
    output.note("no --pubkey: the keys that the log itself begins with were believed");
  }
  if (check.problems.length > 0) {
    output.note(`${sequence} entries, ${check.problems.length} problems`);
    return FAILED;
  }
  output.print(`${sequence} entries, ${check.commands} signed commands: all as they were written`);
  return DONE;
}

async function rootsOf(args: Arguments) {
  const files = args.value("pubkey");
  if (files === undefined) return null;
  const { readOperators } = await import("../../conductor/live/open.ts");
  return [...await readOperators(files.split(",")) ?? []]
    .map(([key, publicKey]) => ({ key, publicKey }));
}

async function* entriesOf(args: Arguments): AsyncGenerator<Entry> {
  const state = args.value("state");
  if (state === undefined) {
    const target = targetOf(args);
    const conductor = conductorAt(target.conductor, target.timeoutMs);
    yield* conductor.lines<Entry>("/api/log?from=0");
    return;
  }
  const { SqliteStore } = await import("../../conductor/live/store_sqlite.ts");
  const { readAtRestKey } = await import("../../conductor/live/at_rest.ts");
  const key = args.value("at-rest-key");
  const store = new SqliteStore(
    `${state}/log.db`,
    key === undefined ? null : await readAtRestKey(key),
  );
  try {
    for (let next = 0;;) {
      const entries = await store.read(next, 500);
      yield* entries;
      if (entries.length === 0) return;
      next = entries.at(-1)!.sequence;
    }
  } finally {
    await store.close();
  }
}

/** What a node keeps; from one that answers, or from a state folder. */
async function checkpointsOf(from: string, timeoutMs: number): Promise<readonly Checkpoint[]> {
  if (from.includes("/")) {
    const log = (await Deno.readTextFile(`${from}/log.id`)).trim();
    const kept = await Deno.readTextFile(`${from}/checkpoints.jsonl`).catch(() => "");
    return parseCopy(`${JSON.stringify({ k: "log", log })}\n${kept}`)?.checkpoints ?? [];
  }
  let text = "";
  const node = conductorAt(readAddress(from, "nodes", NODE_PORT), timeoutMs);
  for await (const line of node.lines<unknown>("/copy")) text += `${JSON.stringify(line)}\n`;
  return parseCopy(text)?.checkpoints ?? [];
}
