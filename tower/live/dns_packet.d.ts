// What we use of the npm package `dns-packet`, which carries no types of its own.

import type { DnsRecord, Question } from "../dns.ts";

export interface Opt {
  readonly type: "OPT";
  readonly name: ".";
  readonly udpPayloadSize: number;
  /** The upper eight bits of the response code (RFC 6891, 6.1.3). */
  readonly extendedRcode: number;
  readonly ednsVersion: number;
  readonly flags: number;
  readonly options: readonly unknown[];
}

export interface Packet {
  readonly id: number;
  readonly type: "query" | "response";
  readonly flags: number;
  readonly opcode: string;
  readonly questions: readonly Question[];
  readonly additionals: readonly (Opt | { readonly type: string })[];
}

export interface Response {
  readonly id: number;
  readonly type: "response";
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly (DnsRecord | Opt)[];
}

/** @throws when the bytes are no DNS message */
export function decode(bytes: Uint8Array): Packet;
export function encode(response: Response): Uint8Array;
/** Bit 10 of the flags: this server is the authority. */
export const AUTHORITATIVE_ANSWER: number;
/** Bit 9 of the flags: the answer did not fit. */
export const TRUNCATED_RESPONSE: number;
export const RECURSION_DESIRED: number;
