/**
 * Sealed streams: the same handshake and keys as the datagrams', over a connection that loses
 * nothing. Each record is sealed with the number it has in its direction, so a record that was
 * altered, left out, repeated or moved ends the stream.
 */

import { concat } from "./noise.ts";
import type { SessionKeys } from "./pqik.ts";
import type { Aead } from "./primitives.ts";

/** Records after which a direction changes its key, as Noise's Rekey() does. */
export const STREAM_REKEY_RECORDS = 65_536;

const NOTHING = new Uint8Array();
const ZEROS = new Uint8Array(32);
/** Noise's nonce for Rekey() is 2^64 - 1; no counter of ours comes near to this one. */
const REKEY_NONCE = 2 ** 53 - 1;

/** What the next record of a direction is sealed with. */
export interface Turn {
  readonly key: Uint8Array;
  readonly counter: number;
}

/** One direction of a stream. */
class Direction {
  #key: Uint8Array;
  #count = 0;

  constructor(readonly aead: Aead, key: Uint8Array) {
    this.#key = key;
  }

  seal(record: Uint8Array): Uint8Array {
    const sealed = this.aead.seal(this.#key, this.#count, NOTHING, record);
    this.#next();
    return sealed;
  }

  open(sealed: Uint8Array): Uint8Array | null {
    const record = this.aead.open(this.#key, this.#count, NOTHING, sealed);
    if (record !== null) this.#next();
    return record;
  }

  /** The next record's: for whoever seals or opens it elsewhere, in this order. */
  turn(): Turn {
    const turn = { key: this.#key, counter: this.#count };
    this.#next();
    return turn;
  }

  #next(): void {
    if (++this.#count < STREAM_REKEY_RECORDS) return;
    this.#key = this.aead.seal(this.#key, REKEY_NONCE, NOTHING, ZEROS).slice(0, 32);
    this.#count = 0;
  }
}

/** Kinds of records, by their first byte. */
export const RECORDS = {
  /** A request's head, as JSON: `{ method, path, headers }`. */
  request: 1,
  /** A response's head, as JSON: `{ status, headers }`. */
  response: 2,
  /** A part of a body. */
  body: 3,
  /** The body's end. */
  end: 4,
  /** From here on messages go both ways. */
  upgraded: 5,
  message: 6,
  /** So many bytes of bodies may follow, as text. */
  credit: 7,
} as const;

/** Both directions of a stream. */
export class StreamCipher {
  readonly #out: Direction;
  readonly #in: Direction;

  constructor(aead: Aead, keys: SessionKeys) {
    this.#out = new Direction(aead, keys.send);
    this.#in = new Direction(aead, keys.receive);
  }

  seal(kind: number, content: Uint8Array): Uint8Array {
    return this.#out.seal(recordOf(kind, content));
  }

  /** What the next record that goes out is to be sealed with, by whoever can do that beside. */
  sealTurn(): Turn {
    return this.#out.turn();
  }

  /** The same for opening the next record that comes in. */
  openTurn(): Turn {
    return this.#in.turn();
  }

  /** The record, or `null`: then the stream is to be ended. */
  open(sealed: Uint8Array): { readonly kind: number; readonly content: Uint8Array } | null {
    return readRecord(this.#in.open(sealed));
  }
}

/** A record as it is sealed: its kind, then its content. */
export function recordOf(kind: number, content: Uint8Array): Uint8Array {
  return concat(new Uint8Array([kind]), content);
}

/** A record as it was opened; `null` where it was not, or has no kind. */
export function readRecord(
  record: Uint8Array | null,
): { readonly kind: number; readonly content: Uint8Array } | null {
  return record === null || record.length === 0
    ? null
    : { kind: record[0]!, content: record.subarray(1) };
}
