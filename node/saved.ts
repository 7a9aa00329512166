// What a node keeps on disk of a replica, so that a later start of the daemon can adopt it.

import {
  flag,
  integer,
  map,
  maybe,
  oneOf,
  parseShaped,
  type Shaped,
  struct,
  text,
} from "../core/shape.ts";
import { exitShape } from "../core/mesh.ts";
import { replicaId } from "../core/replica_id.ts";

const launch = struct({
  name: text(63),
  bin: text(4096),
  port: integer(0, 65_535),
  args: text(16_384),
  env: map(text(16_384), 1_000),
  restart: oneOf("always", "on-failure", "never"),
  drainS: integer(0, 86_400),
});

const count = integer(0, 2 ** 40);

const saved = struct({
  format: integer(1, 1),
  replica: replicaId,
  app: text(63),
  generation: count,
  sequence: count,
  index: count,
  part: maybe(oneOf("before")),
  /** A v1 LAUNCH, which has no record. */
  launch: maybe(launch),
  /** Number of its current or last start, from 1; 0 before the first. */
  instance: count,
  /** How far it was: `pending` has no process. */
  stage: oneOf("pending", "running", "ready", "stopping", "finished"),
  port: maybe(integer(1, 65_535)),
  restarts: count,
  /** The conductor has ordered its end. */
  stopOrdered: flag,
  /** The conductor knows that it is finished. */
  dropped: flag,
  sinceWallMs: integer(0, 2 ** 52),
  exit: maybe(exitShape),
  reason: maybe(text(300)),
  /** This node started it by itself while no conductor led. */
  standIn: maybe(flag),
});
export type SavedReplica = Shaped<typeof saved>;

/** Reads a state file; `null` where it is damaged. The last line says that it is whole. */
export function parseSaved(content: string): SavedReplica | null {
  if (!content.endsWith("\n")) return null;
  return parseShaped(saved, content);
}

export function formatSaved(replica: SavedReplica): string {
  return `${JSON.stringify(replica)}\n`;
}
