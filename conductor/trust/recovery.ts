/** The log that a node's copy gives: each command at its old place, and nothing invented. */

import type { Copy, Proved, Runs } from "../../core/copy.ts";
import { linkOf } from "../../core/chain.ts";
import {
  EMPTY_HEAD,
  type Entry,
  type EntryBody,
  nextEntry,
  type Place,
  type SignedRecord,
} from "../../core/log.ts";
import { parseOperatorCommand } from "../../core/command.ts";
import { Failure } from "../../core/errors.ts";

/** Ids of replicas that nobody remembers any more are passed over by so many. */
const IDS_APART = 1_000;

/**
 * The entries of the rebuilt log. What was decided is lost; what runs is taken over as it runs.
 *
 * @param runs what each node that could be asked runs
 * @throws {Failure} `not-recoverable`.
 */
export function* rebuild(
  copy: Copy,
  proved: Proved,
  runs: readonly Runs[],
  wallMs: number,
): Generator<Entry> {
  const { records } = proved;
  const last = records.at(-1)?.sequence ?? 0;
  if (records[0]?.sequence === 1) {
    throw new Failure(
      "not-recoverable",
      "the log began without keys (--insecure): there is nothing that its commands could prove",
    );
  }
  let head = EMPTY_HEAD;
  const next = (body: EntryBody) => {
    const entry = nextEntry(head, wallMs, body);
    head = entry;
    return entry;
  };
  const node = copy.runs?.name ?? "a folder";
  yield next({ kind: "recovered", log: copy.log, node, last });
  const byPlace = new Map(records.map((record) => [record.sequence, record]));
  for (let sequence = 2; sequence <= last; sequence++) {
    const record = byPlace.get(sequence);
    if (!record) {
      yield next({ kind: "lost" });
      continue;
    }
    const { text, signatureHex, key, manifest, chain } = record;
    yield next({
      kind: "command",
      signed: { text, signatureHex, key },
      ...(manifest === undefined ? {} : { manifest }),
      reply: `OK|RECOVERED|${sequence}`,
      audit: `recovered from ${node}: ${text.split("|", 1)[0]} at ${sequence}`,
      ...(chain === undefined ? {} : { chain }),
    });
  }
  for (const { node, name } of runs) yield next({ kind: "node", node, name });
  const place = placesOf(proved, runs);
  yield next({ kind: "adopted", place, placed: countsOf(proved, runs) });
}

/** The entry by which this log's new conductor takes the place of the lost one. */
export function succeedBody(
  { chain }: Proved,
  sequence: number,
  signed: SignedRecord,
): EntryBody {
  return {
    kind: "command",
    signed,
    reply: "OK|SUCCEEDED",
    audit: "this conductor takes the place of the lost one (recover --succeed)",
    chain: linkOf(chain, { sequence, ...signed }),
  };
}

/** What runs now and is described by a record of the copy. */
function placesOf(proved: Proved, runs: readonly Runs[]): Place[] {
  const known = new Set(proved.records.map((record) => record.sequence));
  const seen = new Set<string>();
  return runs.flatMap(({ node, runs }) =>
    runs.filter(({ replica, sequence }) => {
      const counts = known.has(sequence) && !seen.has(replica);
      seen.add(replica);
      return counts;
    }).map((each) => ({ ...each, node }))
  );
}

function countsOf(proved: Proved, runs: readonly Runs[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { text } of proved.records) {
    const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
    if ("verb" in command && command.verb === "APPLY") counts.set(command.app, 0);
  }
  for (const { app, replica } of runs.flatMap((each) => each.runs)) {
    const number = Number(replica.slice(replica.lastIndexOf(".") + 1));
    if (Number.isSafeInteger(number)) counts.set(app, Math.max(counts.get(app) ?? 0, number));
  }
  return [...counts].map(([app, count]) => [app, count + IDS_APART]);
}
