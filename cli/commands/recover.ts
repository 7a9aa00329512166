// Rebuilds the log of a cluster that lost its store, from what its nodes have kept.

import { NODE_PORT, readAddress, showAddress } from "../../core/address.ts";
import { type Copy, parseCopy, prove, type Proved, type Runs } from "../../core/copy.ts";
import { Failure } from "../../core/errors.ts";
import { sha256Hex } from "../../core/bytes.ts";
import { formatOperatorCommand } from "../../core/command.ts";
import { createVerifier } from "../../core/live/crypto.ts";
import { EMPTY_HEAD, type Entry, nextEntry, type SignedRecord } from "../../core/log.ts";
import { fingerprint } from "../../core/signed.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { keyPathOf, openSigner } from "../keys.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";

interface Found {
  readonly from: string;
  readonly copy: Copy;
  readonly proved: Proved;
}

export async function run({ arguments: args, output }: Context): Promise<number> {
  const state = args.value("state");
  if (state === undefined) {
    throw new Failure("usage", "give --state DIR: the conductor's state folder, without a log.db");
  }
  const { readOperators } = await import("../../conductor/live/open.ts");
  const files = (args.value("pubkey") ?? "skrtrview.pub").split(",");
  const roots = [...await readOperators(files) ?? []].map(([key, publicKey]) => ({
    key,
    publicKey,
  }));
  const path = `${state}/log.db`;
  if (await exists(path)) {
    throw new Failure("exists", `${path} is there: recover makes a new log and overwrites none`);
  }
  const verifier = await createVerifier();
  const verify = (publicKey: string, text: string, signatureHex: string) =>
    verifier.verify(Uint8Array.fromBase64(publicKey), text, signatureHex);
  const found: Found[] = [];
  for (const from of args.positional) {
    const copy = await fetchCopy(from, targetOf(args).timeoutMs);
    if (!copy) {
      output.note(`${from} has no copy of a log`);
      continue;
    }
    const proved = await prove(copy, roots, verify);
    const wrong = proved.wrong === null ? "" : `, then: ${proved.wrong}`;
    output.print(`${from}: ${proved.records.length} records of ${copy.log.slice(0, 12)}${wrong}`);
    found.push({ from, copy, proved });
  }
  const best = longest(found, args.value("log"));
  const { rebuild, succeedBody } = await import("../../conductor/trust/recovery.ts");
  const { SqliteStore } = await import("../../conductor/live/store_sqlite.ts");
  const runs = found.flatMap(({ copy }): Runs[] =>
    copy.runs && copy.log === best.copy.log ? [copy.runs] : []
  );
  await Deno.mkdir(state, { recursive: true, mode: 0o700 });
  const store = new SqliteStore(`${path}.new`);
  let head = EMPTY_HEAD;
  const keep = async (entry: Entry) => {
    await store.append(entry);
    head = { sequence: entry.sequence, hash: entry.hash };
  };
  for (const entry of rebuild(best.copy, best.proved, runs, Date.now())) await keep(entry);
  if (args.has("succeed")) {
    const signed = await succession(args, state, best);
    await keep(nextEntry(head, Date.now(), succeedBody(best.proved, head.sequence + 1, signed)));
  }
  await store.close();
  // The mark is of a log that is no more.
  await remove(`${state}/log.head`);
  await Deno.rename(`${path}.new`, path);
  const running = runs.reduce((sum, each) => sum + each.runs.length, 0);
  output.print(
    `${path}: ${head.sequence} entries from ${best.from}, ${best.proved.records.length} commands, ` +
      `${running} replicas go on; start the conductor with --state ${state}`,
  );
  return DONE;
}

/**
 * The signed word that this state folder's conductor, whose identity is made here, takes the place of
 * the lost one.
 */
async function succession(
  args: Arguments,
  state: string,
  { copy, proved }: Found,
): Promise<SignedRecord> {
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const { publicKeyOf } = await import("../../core/sign.ts");
  const key = fingerprint(publicKeyOf(await Deno.readFile(keyPath)));
  const why = proved.roster.whyNot(Number.MAX_SAFE_INTEGER, key, "admin", {}, Date.now() / 1_000);
  if (why !== null) throw new Failure("refused", `${keyPath} cannot name a conductor: ${why}`);
  const { openSealKeys } = await import("../../core/live/seal_keys.ts");
  const { identity, staticKey } = await openSealKeys(state, "conductor");
  const command = formatOperatorCommand({
    verb: "SUCCEED",
    id: commandId(),
    log: copy.log,
    identity,
    hash: sha256Hex(staticKey),
  });
  const text = `${command}|${Math.floor(Date.now() / 1_000)}`;
  return { text, signatureHex: await signer.sign(text), key };
}

/** The copy that proves most. Copies of another log count only where that is asked for. */
function longest(found: readonly Found[], log: string | undefined): Found {
  const wanted = found.filter(({ copy }) => log === undefined || copy.log.startsWith(log));
  const logs = new Set(wanted.map(({ copy }) => copy.log));
  if (logs.size > 1) {
    const names = [...logs].map((each) => each.slice(0, 12)).join(", ");
    throw new Failure("refused", `these are copies of several logs (${names}): choose with --log`);
  }
  const [best] = wanted.toSorted((a, b) => b.proved.records.length - a.proved.records.length);
  if (!best || best.proved.records.length === 0) {
    throw new Failure("refused", "no copy has a record that one of these keys proves (--pubkey)");
  }
  return best;
}

/** From a node that answers, or from the state folder of one that does not. */
async function fetchCopy(from: string, timeoutMs: number): Promise<Copy | null> {
  if (!from.includes("/")) {
    const address = readAddress(from, "node", NODE_PORT);
    let text = "";
    try {
      for await (const line of conductorAt(address, timeoutMs).lines<unknown>("/copy")) {
        text += `${JSON.stringify(line)}\n`;
      }
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      throw new Failure("unreachable", `the node ${showAddress(address)} does not answer`);
    }
    return parseCopy(text);
  }
  const log = (await Deno.readTextFile(`${from}/log.id`)).trim();
  const records = await Deno.readTextFile(`${from}/records.jsonl`);
  return parseCopy(`${JSON.stringify({ k: "log", log })}\n${records}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
