// Addresses and networks, as text.

import { Failure } from "./errors.ts";
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

/** A network: the first `bits` of `bytes` (4 or 16 of them). */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Reads an IPv4 or IPv6 address into 4 or 16 bytes; an IPv4 address in IPv6 form into 4. */
export function parseAddress(text: string): Uint8Array | null {
  if (isV4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isV6(text)) return null;
  const bytes = v6Bytes(text);
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
  // A socket that serves both families gives IPv4 addresses as `::ffff:10.0.0.1`.
  return mapped ? bytes.slice(12) : bytes;
}

function v6Bytes(text: string): Uint8Array {
  const [front, back = []] = text.split("::").map((half) =>
    half === "" ? [] : half.split(":").flatMap((group) => {
      if (!group.includes(".")) return [parseInt(group, 16)];
      const tail = group.split(".").map(Number);
      return [tail[0]! << 8 | tail[1]!, tail[2]! << 8 | tail[3]!];
    })
  );
  const words = [...front!, ...new Array(8 - front!.length - back.length).fill(0), ...back];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; `null` if it is none. */
export function parseCidr(text: string): Cidr | null {
  const [address, length, ...rest] = text.split("/");
  const bytes = parseAddress(address!);
  if (bytes === null || rest.length > 0) return null;
  if (length === undefined) return { bytes, bits: bytes.length * 8 };
  const bits = Number(length);
  return /^(0|[1-9]\d{0,2})$/.test(length) && bits <= bytes.length * 8 ? { bytes, bits } : null;
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

const parsed = new WeakMap<readonly string[], readonly Cidr[]>();

/**
 * Says whether the address lies in one of the networks, which are written `10.0.0.0/8`, or as a
 * single address. The list must not be changed once it was asked about.
 */
export function inNetworks(address: string, networks: readonly string[]): boolean {
  let ranges = parsed.get(networks);
  if (ranges === undefined) {
    ranges = networks.map(parseCidr).filter((each) => each !== null);
    parsed.set(networks, ranges);
  }
  return isWithin(address, ranges);
}

/** Says whether the text is a network that `inNetworks` understands. */
export function isNetwork(network: string): boolean {
  return parseCidr(network) !== null;
}

const LOOPBACK: readonly string[] = ["127.0.0.0/8", "::1"];

/** Says whether the address is this machine talking to itself. */
export function isLoopback(address: string): boolean {
  return inNetworks(address, LOOPBACK);
}

/** The ports that daemons listen at unless they are told otherwise. */
export const MESH_PORT = 7_770;
export const CONDUCTOR_PORT = 7_771;
export const TOWER_PORT = 7_772;
export const NODE_PORT = 7_775;

/** The addresses of a list with commas. @throws {Failure} `usage`. */
export function readAddresses(value: string, flag: string, port: number): Address[] {
  return value.split(",").map((each) => readAddress(each.trim(), flag, port));
}

/**
 * The address in a flag's value: `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address.
 *
 * @param port the one where the value names none
 * @throws {Failure} `usage`.
 */
export function readAddress(value: string, flag: string, port: number): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+))(?::([0-9]{1,5}))?$/.exec(value);
  const bare = isV6(value) ? value : undefined;
  const hostname = bare ?? match?.[1] ?? match?.[2];
  const found = Number(match?.[3] ?? port);
  if (hostname === undefined || found < 1 || found > 65_535) {
    throw new Failure("usage", `--${flag} needs HOST or HOST:PORT, not ${value}`);
  }
  return { hostname, port: found };
}

/** The address as text: `HOST:PORT`, an IPv6 address in brackets. */
export function showAddress({ hostname, port }: Address): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
