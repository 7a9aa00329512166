// The PROXY protocol, versions 1 and 2, as HAProxy's specification has it: what a load balancer says
// of the client before the client's first byte.

import { parseAddress } from "../core/address.ts";
import { ascii, latin1 } from "./field_block.ts";

const SIGNATURE_2 = ascii("\r\n\r\n\0\r\nQUIT\n");
const SIGNATURE_1 = ascii("PROXY ");
/** The longest line of version 1, CRLF included. */
const LINE_BYTES = 107;

/** The longest header that is read: version 2 may carry further values. */
export const PROXY_HEADER_BYTES = 2_048;

/** What stands at the beginning of a connection. */
export type ProxyHeader =
  /** Not all of it is here. */
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly reason: string }
  /** `client` is absent for health checks of the balancer itself. */
  | { readonly kind: "header"; readonly client?: string; readonly end: number };

const MORE: ProxyHeader = { kind: "more" };

/** Reads the header in `bytes[0, end)`. */
export function readProxyHeader(bytes: Uint8Array, end: number): ProxyHeader {
  if (beginsAs(bytes, end, SIGNATURE_2)) return end < 16 ? MORE : readVersion2(bytes, end);
  if (beginsAs(bytes, end, SIGNATURE_1)) return readVersion1(bytes, end);
  return { kind: "bad", reason: "no PROXY header" };
}

/** Whether what is here may be the beginning of `word`, or begins with it. */
function beginsAs(bytes: Uint8Array, end: number, word: Uint8Array): boolean {
  const known = Math.min(end, word.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== word[at]) return false;
  return true;
}

function readVersion1(bytes: Uint8Array, end: number): ProxyHeader {
  const text = latin1(bytes, 0, Math.min(end, LINE_BYTES));
  const stop = text.indexOf("\r\n");
  if (stop < 0) {
    return end >= LINE_BYTES ? { kind: "bad", reason: "PROXY line too long" } : MORE;
  }
  const [, family, source, target, fromPort, toPort, ...rest] = text.slice(0, stop).split(" ");
  if (family === "UNKNOWN") return { kind: "header", end: stop + 2 };
  const length = family === "TCP4" ? 4 : family === "TCP6" ? 16 : 0;
  const fits = length !== 0 && rest.length === 0 && isPort(fromPort) && isPort(toPort) &&
    source !== undefined && fitsFamily(source, family!) &&
    target !== undefined && fitsFamily(target, family!);
  return fits
    ? { kind: "header", client: source, end: stop + 2 }
    : { kind: "bad", reason: "malformed PROXY line" };
}

function fitsFamily(address: string, family: string): boolean {
  return parseAddress(address) !== null && address.includes(":") === (family === "TCP6");
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readVersion2(bytes: Uint8Array, end: number): ProxyHeader {
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 15;
  const family = bytes[13]!;
  const length = bytes[14]! << 8 | bytes[15]!;
  if (version !== 2 || command > 1) {
    return { kind: "bad", reason: "unknown PROXY version or command" };
  }
  if (16 + length > PROXY_HEADER_BYTES) return { kind: "bad", reason: "PROXY header too long" };
  if (end < 16 + length) return MORE;
  const header = { kind: "header", end: 16 + length } as const;
  if (command === 0 || family >> 4 === 0) return header;
  if (family === 0x11 && length >= 12) {
    return { ...header, client: [...bytes.subarray(16, 20)].join(".") };
  }
  if (family === 0x21 && length >= 36) {
    const groups: string[] = [];
    for (let at = 16; at < 32; at += 2) {
      groups.push((bytes[at]! << 8 | bytes[at + 1]!).toString(16));
    }
    return { ...header, client: groups.join(":") };
  }
  return { kind: "bad", reason: "PROXY header of a family other than TCP" };
}
