/**
 * A node's copy of the log, as it gives it away (`GET /copy`), and what of one can be proved.
 *
 * A line each: which log it is, its records in their order, and what the node runs.
 */

import type { Checkpoint } from "./audit.ts";
import { NEEDED_ROLE, reachOf } from "./authority.ts";
import { genesisOf, linkOf } from "./chain.ts";
import { parseOperatorCommand } from "./command.ts";
import { MANIFEST_BYTES } from "./limits.ts";
import { appName, type FollowMessage, followShape } from "./mesh.ts";
import { replicaId } from "./replica_id.ts";
import { changesRoster, type Root, Roster } from "./roster.ts";
import { integer, list, parseShaped, type Shaped, struct, text } from "./shape.ts";
import { splitVerb } from "./wire.ts";

type CopiedRecord = Omit<Extract<FollowMessage, { k: "record" }>, "k">;

const count = integer(0, 2 ** 40);

const runsShape = struct({
  node: text(32, /^[0-9a-f]{32}$/),
  name: text(63),
  runs: list(
    struct({
      replica: replicaId,
      app: appName,
      generation: count,
      sequence: count,
      index: count,
    }),
    100_000,
  ),
});

/** Who the node is and what runs there. */
export type Runs = Shaped<typeof runsShape>;

export interface Copy {
  /** What the conductor has signed about its log, as far as the node has kept it. */
  readonly checkpoints?: readonly Checkpoint[];
  readonly log: string;
  readonly records: readonly CopiedRecord[];
  /** Absent in a copy that was read from a dead node's folder. */
  readonly runs?: Runs;
}

export function formatCopy({ log, records, runs, checkpoints = [] }: Copy): string {
  const lines = [
    { k: "log", log },
    ...records.map((record) => ({ k: "record", ...record })),
    ...checkpoints.map((checkpoint) => ({ k: "checkpoint", ...checkpoint })),
    ...(runs === undefined ? [] : [runs]),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** Reads a copy as far as it can be read; `null` where it does not even say of which log it is. */
export function parseCopy(content: string): Copy | null {
  let log: string | null = null;
  let runs: Runs | null = null;
  const records: CopiedRecord[] = [];
  const checkpoints: Checkpoint[] = [];
  for (const line of content.split("\n")) {
    if (line === "" || line.length > 8 * MANIFEST_BYTES) continue;
    const message = parseShaped(followShape, line);
    if (message?.k === "log") log = message.log;
    else if (message?.k === "record") {
      const { k: _, ...record } = message;
      records.push(record);
    } else if (message?.k === "checkpoint") {
      const { k: _, ...checkpoint } = message;
      checkpoints.push(checkpoint);
    } else runs = parseShaped(runsShape, line) ?? runs;
  }
  return log === null ? null : { log, records, checkpoints, ...(runs === null ? {} : { runs }) };
}

/** What of a copy is proved. */
export interface Proved {
  readonly records: readonly CopiedRecord[];
  /** The chain's end there. */
  readonly chain: string;
  /** Why what follows is not; `null` where everything is. */
  readonly wrong: string | null;
  /** The operators, as these records have them. */
  readonly roster: Roster;
}

/**
 * Checks a copy from its beginning: that each record follows the one before, and that it was signed
 * by an operator who might say so at its place, computed from the roots and the records themselves.
 *
 * @param verify says whether this key (base64) signed this text
 */
export async function prove(
  copy: Copy,
  roots: readonly Root[],
  verify: (publicKey: string, text: string, signatureHex: string) => Promise<boolean>,
): Promise<Proved> {
  const roster = new Roster();
  for (const root of roots) roster.addRoot(root);
  const records: CopiedRecord[] = [];
  let chain = genesisOf(copy.log);
  let last = 0;
  const end = (wrong: string | null) => ({ records, chain, wrong, roster });
  for (const record of copy.records) {
    const { sequence, text, signatureHex, key, manifest } = record;
    if (sequence <= last) return end(`record ${sequence} stands behind record ${last}`);
    const link = linkOf(chain, record);
    if (record.chain !== undefined && record.chain !== link) {
      return end(`record ${sequence} does not follow record ${last}: one was changed or left out`);
    }
    const cut = text.lastIndexOf("|");
    const command = parseOperatorCommand(text.slice(0, cut));
    if ("error" in command) return end(`record ${sequence} is no command: ${command.error}`);
    const known = roster.keysAt(sequence).find((each) => each.key === key);
    if (!known) return end(`record ${sequence} is signed by a key that is no operator's`);
    if (!await verify(known.publicKey, text, signatureHex)) {
      return end(`the signature of record ${sequence} does not verify`);
    }
    const own = command.verb === "ROTATE" && known.name === command.name;
    const applies = ["APPLY", "SUBMIT", "ROLLOUT"].includes(splitVerb(text)[0]);
    const reach = applies ? reachOf(command, () => undefined, manifest) : null;
    const unixS = Number(text.slice(cut + 1));
    const why = own ? null : roster.whyNot(sequence, key, NEEDED_ROLE[command.verb], reach, unixS);
    if (why !== null) return end(`record ${sequence}: ${why}`);
    if (changesRoster(command)) roster.apply(sequence, command);
    records.push(record);
    chain = link;
    last = sequence;
  }
  return end(null);
}
