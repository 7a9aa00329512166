// DNS messages in, DNS messages out: `dns-packet` around the pure answers of dns.ts.

import { Buffer } from "node:buffer";
// @ts-types="./dns_packet.d.ts"
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Opt,
  type Packet,
  RECURSION_DESIRED,
  type Response,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { DNS_UDP_BYTES } from "../../core/limits.ts";
import { answerDns, type Directory, type DnsAnswer } from "../dns.ts";

/** An answer ready to be sent, and its code for the metrics. */
export interface Reply {
  readonly bytes: Uint8Array;
  readonly rcode: string;
}

const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const HEADER_BYTES = 12;
/** What every resolver takes over UDP (RFC 1035, 4.2.1). */
const PLAIN_UDP_BYTES = 512;

/**
 * Answers one message; `null` for what is no question at all (too short, or a response: answering
 * those would let two servers talk to each other for ever).
 */
export function replyTo(
  bytes: Uint8Array,
  over: "udp" | "tcp",
  directory: Directory,
  turn: number,
): Reply | null {
  if (bytes.length < HEADER_BYTES || (bytes[2]! & 0x80) !== 0) return null;
  let query: Packet;
  try {
    query = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    return headerOnly(bytes, "FORMERR");
  }
  if (query.opcode !== "QUERY") return headerOnly(bytes, "NOTIMP");
  const question = query.questions[0];
  if (question === undefined || query.questions.length !== 1) return headerOnly(bytes, "FORMERR");
  const opt = query.additionals.find((each): each is Opt => each.type === "OPT");
  if (opt !== undefined && opt.ednsVersion > 0) return write(query, null, opt, 65_535);
  const limit = over === "tcp"
    ? 65_535
    : Math.max(PLAIN_UDP_BYTES, Math.min(DNS_UDP_BYTES, opt?.udpPayloadSize ?? 0));
  return write(query, answerDns(question, directory, turn), opt, limit);
}

/** Writes the answer so that it fits; `null` refuses the version of EDNS (BADVERS). */
function write(
  query: Packet,
  answer: DnsAnswer | null,
  opt: Opt | undefined,
  limit: number,
): Reply {
  const rcode = answer?.rcode ?? "BADVERS";
  const flags = AUTHORITATIVE_ANSWER | query.flags & RECURSION_DESIRED |
    (answer === null ? 0 : RCODES[answer.rcode]);
  const extra: Opt[] = opt === undefined ? [] : [{
    type: "OPT",
    name: ".",
    udpPayloadSize: DNS_UDP_BYTES,
    extendedRcode: answer === null ? 1 : 0,
    ednsVersion: 0,
    flags: 0,
    options: [],
  }];
  const base = { id: query.id, type: "response", flags, questions: query.questions } as const;
  const { answers = [], authorities = [], additionals = [] } = answer ?? {};
  const forms: Response[] = [
    { ...base, answers, authorities, additionals: [...additionals, ...extra] },
    // What helps only is left out first; the rest is to be asked for over TCP.
    { ...base, answers, authorities, additionals: extra },
    { ...base, flags: flags | TRUNCATED_RESPONSE, additionals: extra },
  ];
  for (const form of forms) {
    const bytes = encode(form);
    if (bytes.length <= limit) return { bytes, rcode };
  }
  return headerOnly(encode({ ...base, additionals: [] }), "SERVFAIL");
}

/** An answer that is no more than a header, to a message that could not be read. */
function headerOnly(query: Uint8Array, rcode: keyof typeof RCODES): Reply {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(query.subarray(0, 2));
  // Response, with the opcode and the wish for recursion of the query.
  bytes[2] = 0x80 | (query[2]! & 0x79);
  bytes[3] = RCODES[rcode];
  return { bytes, rcode };
}
