/**
 * The four kinds of sealed datagrams, and the one that says that a session is not known. The first
 * byte is one that no UTF-8 text has, so that none is taken for a plain command. Numbers are
 * big-endian.
 *
 * | first bytes    | then                                                                            |
 * | -------------- | ------------------------------------------------------------------------------- |
 * | `F8 01 00 00`  | sender 4, message of pqIK 3,512, mark 16, token 16                              |
 * | `F9 01 00 00`  | receiver 4, sender 4, message of pqIK 2,208                                     |
 * | `FA 01 00 00`  | receiver 4, token 16, mark 16                                                   |
 * | `FB 01 00 00`  | receiver 4, counter 8, sealed text                                              |
 * | `FC 01 00 00`  | receiver 4, counter 8                                                           |
 */

import { SEAL_OVERHEAD_BYTES } from "../limits.ts";
import { concat } from "./noise.ts";
import { FIRST_BYTES, SECOND_BYTES } from "./pqik.ts";
import { TAG_BYTES } from "./primitives.ts";

export const MARK_BYTES = 16;
export const TOKEN_BYTES = 16;
/** Time 8, token 16. */
export const FIRST_PAYLOAD_BYTES = 8 + TOKEN_BYTES;

const KINDS = { first: 0xf8, second: 0xf9, retry: 0xfa, data: 0xfb, stale: 0xfc } as const;
type Kind = keyof typeof KINDS;
const VERSION = 1;

export const NO_TOKEN = new Uint8Array(TOKEN_BYTES);

const FIRST_MESSAGE = FIRST_BYTES + FIRST_PAYLOAD_BYTES;
const FIRST_TOTAL = 8 + FIRST_MESSAGE + MARK_BYTES + TOKEN_BYTES;
const SECOND_TOTAL = 12 + SECOND_BYTES;
const DATA_HEAD = SEAL_OVERHEAD_BYTES - TAG_BYTES;

/** A sealed datagram, taken apart. */
export type Packet =
  | {
    readonly kind: "first";
    readonly sender: number;
    readonly message: Uint8Array;
    /** What `mark` covers. */
    readonly marked: Uint8Array;
    readonly mark: Uint8Array;
    readonly token: Uint8Array;
  }
  | {
    readonly kind: "second";
    readonly receiver: number;
    readonly sender: number;
    readonly message: Uint8Array;
  }
  | {
    readonly kind: "retry";
    readonly receiver: number;
    readonly token: Uint8Array;
    readonly mark: Uint8Array;
  }
  | {
    readonly kind: "data";
    readonly receiver: number;
    readonly counter: number;
    readonly head: Uint8Array;
    readonly sealed: Uint8Array;
  }
  | { readonly kind: "stale"; readonly receiver: number; readonly counter: number };

/** Says whether a datagram claims to be sealed. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes[0]! >= KINDS.first && bytes[0]! <= KINDS.stale;
}

/** Takes a datagram apart; `null` where it is no sealed one. */
export function parsePacket(bytes: Uint8Array): Packet | null {
  if (bytes.length < 8 || bytes[1] !== VERSION || bytes[2] !== 0 || bytes[3] !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const index = view.getUint32(4);
  switch (bytes[0]) {
    case KINDS.first:
      return bytes.length === FIRST_TOTAL
        ? {
          kind: "first",
          sender: index,
          message: bytes.subarray(8, 8 + FIRST_MESSAGE),
          marked: bytes.subarray(0, 8 + FIRST_MESSAGE),
          mark: bytes.subarray(8 + FIRST_MESSAGE, FIRST_TOTAL - TOKEN_BYTES),
          token: bytes.subarray(FIRST_TOTAL - TOKEN_BYTES),
        }
        : null;
    case KINDS.second:
      return bytes.length === SECOND_TOTAL
        ? {
          kind: "second",
          receiver: index,
          sender: view.getUint32(8),
          message: bytes.subarray(12),
        }
        : null;
    case KINDS.retry:
      return bytes.length === 8 + TOKEN_BYTES + MARK_BYTES
        ? {
          kind: "retry",
          receiver: index,
          token: bytes.subarray(8, 8 + TOKEN_BYTES),
          mark: bytes.subarray(8 + TOKEN_BYTES),
        }
        : null;
    case KINDS.data: {
      const counter = bytes.length < SEAL_OVERHEAD_BYTES ? null : counterAt(view, 8);
      return counter === null ? null : {
        kind: "data",
        receiver: index,
        counter,
        head: bytes.subarray(0, DATA_HEAD),
        sealed: bytes.subarray(DATA_HEAD),
      };
    }
    case KINDS.stale: {
      const counter = bytes.length === DATA_HEAD ? counterAt(view, 8) : null;
      return counter === null ? null : { kind: "stale", receiver: index, counter };
    }
    default:
      return null;
  }
}

/** Sessions end long before 2^53 datagrams, so that every counter is an exact number. */
function counterAt(view: DataView, at: number): number | null {
  const counter = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  return Number.isSafeInteger(counter) ? counter : null;
}

function head(kind: Kind, size: number, index: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes[0] = KINDS[kind];
  bytes[1] = VERSION;
  new DataView(bytes.buffer).setUint32(4, index);
  return bytes;
}

/** The part of a first message that its mark covers. */
export function writeFirst(sender: number, message: Uint8Array): Uint8Array {
  return concat(head("first", 8, sender), message);
}

export function writeSecond(receiver: number, sender: number, message: Uint8Array): Uint8Array {
  const start = head("second", 12, receiver);
  new DataView(start.buffer).setUint32(8, sender);
  return concat(start, message);
}

export function writeRetry(receiver: number, token: Uint8Array, mark: Uint8Array): Uint8Array {
  return concat(head("retry", 8, receiver), token, mark);
}

export function writeDataHead(receiver: number, counter: number): Uint8Array {
  return withCounter(head("data", DATA_HEAD, receiver), counter);
}

export function writeStale(receiver: number, counter: number): Uint8Array {
  return withCounter(head("stale", DATA_HEAD, receiver), counter);
}

function withCounter(bytes: Uint8Array, counter: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  view.setUint32(8, Math.floor(counter / 2 ** 32));
  view.setUint32(12, counter % 2 ** 32);
  return bytes;
}

/** What a first message says, encrypted: when it was made, and the token it was made for. */
export function writeFirstPayload(wallMs: number, token: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FIRST_PAYLOAD_BYTES);
  new DataView(bytes.buffer).setFloat64(0, wallMs);
  bytes.set(token, 8);
  return bytes;
}

export function readFirstPayload(
  payload: Uint8Array,
): { readonly wallMs: number; readonly token: Uint8Array } | null {
  if (payload.length !== FIRST_PAYLOAD_BYTES) return null;
  const wallMs = new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
  return Number.isFinite(wallMs) ? { wallMs, token: payload.subarray(8) } : null;
}
