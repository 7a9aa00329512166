// Addresses and networks, as text.

import type { Peer } from "./seal/primitives.ts";

/** Where a datagram comes from or goes to. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
  /** In the sealed mesh: who has proved to be there. What goes back goes to nobody else. */
  readonly peer?: Peer;
}

/** Says whether the text is an IPv4 or IPv6 address in its usual form. */
export function isAddress(text: string): boolean {
  return isV4(text) || isV6(text);
}

function isV4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}

/** RFC 4291, section 2.2: eight groups, of which one run of zeros may be `::`. */
function isV6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  const last = groups.at(-1) ?? "";
  // An IPv4 address may stand for the last two groups, but not before a `::`.
  const hasV4 = last.includes(".") && isV4(last) && !text.endsWith("::");
  const plain = hasV4 ? groups.slice(0, -1) : groups;
  const count = plain.length + (hasV4 ? 2 : 0);
  const enough = halves.length === 2 ? count < 8 : count === 8;
  return enough && plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group));
}

/**
 * Says whether the address lies in one of the networks, which are written `10.0.0.0/8`, or as a
 * single address. IPv6 networks only as single addresses.
 */
export function inNetworks(address: string, networks: readonly string[]): boolean {
  const plain = unmapped(address);
  return networks.some((network) => {
    const [base = "", bits, ...more] = network.split("/");
    if (bits === undefined) return unmapped(base) === plain;
    const size = Number(bits);
    const left = ipv4(plain);
    const right = ipv4(base);
    if (left === null || right === null || !BITS.test(bits) || more.length > 0) return false;
    return size === 0 || (left >>> (32 - size)) === (right >>> (32 - size));
  });
}

const BITS = /^([0-9]|[12][0-9]|3[0-2])$/;

/** Says whether the text is a network that `inNetworks` understands. */
export function isNetwork(network: string): boolean {
  const [base = "", bits, ...more] = network.split("/");
  if (bits === undefined) return isAddress(base);
  return more.length === 0 && ipv4(base) !== null && BITS.test(bits);
}

/** A socket that serves both families gives IPv4 addresses as `::ffff:10.0.0.1`. */
function unmapped(address: string): string {
  const v4 = address.replace(/^::ffff:/i, "");
  return isV4(v4) ? v4 : address;
}

/** Says whether the address is this machine talking to itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || inNetworks(address, ["127.0.0.0/8"]);
}

function ipv4(text: string): number | null {
  if (!isV4(text)) return null;
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) >>> 0;
}
