/** A range of addresses: the first `bits` of `bytes` (4 or 16 of them). */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Reads an IPv4 or IPv6 address into 4 or 16 bytes; an IPv4 address in IPv6 form into 4. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    return null;
  }
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => half === "" ? [] : half.split(":"));
  const words: number[][] = [];
  for (const half of groups) {
    const list: number[] = [];
    for (const [at, group] of half.entries()) {
      if (at === half.length - 1 && group.includes(".")) {
        const tail = parseIpv4(group);
        if (tail === null) return null;
        list.push(tail[0]! << 8 | tail[1]!, tail[2]! << 8 | tail[3]!);
      } else if (/^[0-9a-f]{1,4}$/i.test(group)) list.push(parseInt(group, 16));
      else return null;
    }
    words.push(list);
  }
  const [front, back = []] = words;
  const missing = 8 - front!.length - back.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...front!, ...new Array(missing).fill(0), ...back];
  const bytes = Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
  return mapped ? bytes.slice(12) : bytes;
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; `null` if it is none. */
export function parseCidr(text: string): Cidr | null {
  const [address, length, ...rest] = text.split("/");
  const bytes = parseAddress(address!);
  if (bytes === null || rest.length > 0) return null;
  if (length === undefined) return { bytes, bits: bytes.length * 8 };
  const bits = Number(length);
  return /^\d{1,3}$/.test(length) && bits <= bytes.length * 8 ? { bytes, bits } : null;
}

/** Whether an address lies in one of the ranges; text that is no address lies in none. */
export function isWithin(address: string, ranges: readonly Cidr[]): boolean {
  if (ranges.length === 0) return false;
  const bytes = parseAddress(address);
  return bytes !== null && ranges.some((range) => contains(range, bytes));
}

function contains(range: Cidr, bytes: Uint8Array): boolean {
  if (bytes.length !== range.bytes.length) return false;
  const whole = range.bits >> 3;
  for (let at = 0; at < whole; at++) if (bytes[at] !== range.bytes[at]) return false;
  const rest = range.bits & 7;
  return rest === 0 || (bytes[whole]! ^ range.bytes[whole]!) >> (8 - rest) === 0;
}

/**
 * The client's address behind trusted proxies: the last of the chain (X-Forwarded-For, then the
 * peer) that is not trusted; the first of all where every one is.
 */
export function clientBehind(
  peer: string,
  forwardedFor: readonly string[],
  trusted: readonly Cidr[],
): string {
  let client = peer;
  for (let at = forwardedFor.length - 1; at >= 0 && isWithin(client, trusted); at--) {
    const before = forwardedFor[at]!.trim();
    // What is no address was not written by a proxy we trust.
    if (parseAddress(before) === null) break;
    client = before;
  }
  return client;
}
