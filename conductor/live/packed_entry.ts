// An entry as one message: what does not fit stands in parts beside it, written first.

import { Failure } from "../../core/errors.ts";
import { NATS_PART_CHARACTERS } from "../../core/limits.ts";
import type { Entry, EntryBody } from "../../core/log.ts";
import { integer, maybe, parseShaped, struct, text } from "../../core/shape.ts";
import { decrypt, encrypt } from "./at_rest.ts";
import type { NatsParts } from "./nats_parts.ts";

const hex = text(64, /^[0-9a-f]{64}$/);
const packedShape = struct({
  wallMs: integer(0, 2 ** 52),
  previous: hex,
  hash: hex,
  /** The body as JSON, encrypted where the store is; absent where it is in parts. */
  body: maybe(text(2 * NATS_PART_CHARACTERS)),
  parts: maybe(integer(1, 1_000_000)),
});

/** Makes a message of the entry. Orphaned parts, of an entry that was refused, harm nobody. */
export async function packEntry(
  entry: Entry,
  key: Uint8Array | null,
  parts: NatsParts,
): Promise<string> {
  const { sequence, wallMs, previous, hash } = entry;
  const json = JSON.stringify(entry.body);
  const body = key === null ? json : encrypt(key, json, `${sequence} ${hash}`);
  const head = { wallMs, previous, hash };
  if (body.length <= NATS_PART_CHARACTERS) return JSON.stringify({ ...head, body });
  return JSON.stringify({ ...head, parts: await parts.write(at(sequence, hash), body) });
}

/** @throws {Failure} `store-damaged` where it is none; `no-key` where it is encrypted. */
export async function unpackEntry(
  message: string,
  sequence: number,
  key: Uint8Array | null,
  parts: NatsParts,
): Promise<Entry> {
  const packed = parseShaped(packedShape, message);
  if (!packed) throw damaged(`entry ${sequence} was changed`);
  const { wallMs, previous, hash } = packed;
  const sealed = packed.parts === undefined
    ? packed.body ?? null
    : await parts.read(at(sequence, hash), packed.parts);
  if (sealed === null) throw damaged(`a part of entry ${sequence} is missing`);
  const json = decrypt(key, sealed, `${sequence} ${hash}`);
  if (json === null) {
    throw key === null
      ? new Failure("no-key", "the log is encrypted: give --at-rest-key FILE")
      : damaged(`entry ${sequence} does not open by this --at-rest-key`);
  }
  try {
    return { sequence, wallMs, previous, hash, body: JSON.parse(json) as EntryBody };
  } catch {
    throw damaged(`entry ${sequence} was changed`);
  }
}

function at(sequence: number, hash: string): string {
  return `entry.${sequence}-${hash.slice(0, 16)}`;
}

function damaged(what: string): Failure {
  return new Failure("store-damaged", `the log is damaged: ${what}; restore it from a backup`);
}
