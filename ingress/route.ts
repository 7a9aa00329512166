import type { Route } from "../core/mesh.ts";
import type { AppPool } from "./balance.ts";
import { ascii, latin1 } from "./field_block.ts";
import { Counted } from "./figures.ts";
import type { RateLimit } from "./limit.ts";
import type { RequestHead } from "./http1.ts";
import { normalPath, ODD } from "./target.ts";

/** A route made ready for matching. */
export class Destination {
  readonly strip: Uint8Array;
  /** What the live side keeps about it (metrics, limits). */
  attached: unknown = undefined;
  /** Smooth weighted round robin. */
  current = 0;
  /** Lower-case name of the field that tells clients apart for `limit`; empty: their address. */
  readonly rateField: string;

  constructor(
    readonly route: Route,
    readonly pool: AppPool,
    /** How often a client may come. */
    readonly limit: RateLimit | null,
    /** What becomes of its requests. */
    readonly counted: Counted,
  ) {
    const per = route.rate?.per ?? "ip";
    this.rateField = per.startsWith("header:") ? per.slice(7).trim().toLowerCase() : "";
    this.strip = ascii(route.strip === undefined ? "" : trimmed(route.strip));
  }
}

/** Routes with the same host and path, told apart by weight. */
class Group {
  readonly destinations: Destination[] = [];
  constructor(readonly host: string, readonly path: Uint8Array) {}

  /** The next destination by weight; weight 0 takes nothing unless all have it. */
  next(): Destination {
    const { destinations } = this;
    if (destinations.length === 1) return destinations[0]!;
    let total = 0;
    let best = destinations[0]!;
    for (const each of destinations) {
      each.current += each.route.weight;
      total += each.route.weight;
      if (each.current > best.current) best = each;
    }
    best.current -= total;
    return best;
  }
}

const SLASH = 0x2f;
const ANY_HOST = 0x5bd1e995;

function step(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** A route's path without the slash at its end: `/` and nothing are the same. */
function trimmed(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function hostKey(host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** What a request was matched to. */
export interface Match {
  destination: Destination;
  /** Bytes to leave out at the front of the path. */
  strip: number;
  /** Instead of the path as sent: its normal form without `strip`, where that could not be cut. */
  target: Uint8Array | null;
}

/**
 * The table of routes. A request goes to the longest path whose segments it begins with, among the
 * routes of its host, else among those of any host. The cost grows with the length of the path, not
 * with the number of routes: the path is hashed once and looked up at each segment's end.
 */
export class RouteTable {
  private readonly groups = new Map<number, Group[]>();
  private hosts = 0;
  readonly destinations: Destination[] = [];

  /**
   * @param poolOf gives the pool of an app, made if need be
   * @param limitOf gives the rate limit of a route, the same one for the same route
   * @param countedOf gives the figures of a route, the same ones for the same route
   */
  constructor(
    routes: readonly Route[],
    poolOf: (app: string) => AppPool,
    limitOf: (route: Route) => RateLimit | null = () => null,
    countedOf: (route: Route) => Counted = (route) => new Counted(route.app, 0),
  ) {
    for (const route of routes) {
      const host = route.host === undefined ? "" : hostKey(route.host);
      if (host !== "") this.hosts++;
      const group = this.groupFor(host, ascii(trimmed(normalPath(route.path))));
      if (group.destinations.some((each) => each.route.app === route.app)) continue;
      const destination = new Destination(
        route,
        poolOf(route.app),
        limitOf(route),
        countedOf(route),
      );
      group.destinations.push(destination);
      this.destinations.push(destination);
    }
  }

  private groupFor(host: string, path: Uint8Array): Group {
    let hash = host === "" ? ANY_HOST : hashHost(ascii(host), 0, host.length);
    for (const byte of path) hash = step(hash, byte);
    const bucket = this.groups.get(hash) ?? [];
    this.groups.set(hash, bucket);
    let group = bucket.find((each) => each.host === host && same(each.path, path));
    if (group === undefined) bucket.push(group = new Group(host, path));
    return group;
  }

  /** Finds where a request goes; `null`: no route. */
  match(bytes: Uint8Array, head: RequestHead): Match | null {
    let source = bytes;
    let from = head.pathStart;
    let to = head.pathEnd;
    if (head.pathKind === ODD) {
      source = ascii(normalPath(latin1(bytes, from, to)));
      from = 0;
      to = source.length;
    }
    if (head.asterisk) to = from;
    const group = this.find(bytes, head, source, from, to);
    if (group === null) return null;
    const destination = group.next();
    const { strip } = destination;
    if (strip.length === 0) return { destination, strip: 0, target: null };
    if (!beginsWith(source, from, to, strip)) return { destination, strip: 0, target: null };
    if (source === bytes) return { destination, strip: strip.length, target: null };
    // An odd path is cut in its normal form.
    const rest = latin1(source, strip.length, to);
    const query = latin1(bytes, head.pathEnd, head.targetEnd);
    const target = ascii(`${rest.startsWith("/") ? "" : "/"}${rest}${query}`);
    return { destination, strip: 0, target };
  }

  private find(
    bytes: Uint8Array,
    head: RequestHead,
    source: Uint8Array,
    from: number,
    to: number,
  ): Group | null {
    if (this.hosts > 0 && head.hostStart >= 0) {
      let hostEnd = head.hostEnd;
      if (bytes[hostEnd - 1] === 0x2e) hostEnd--;
      const host = latin1(bytes, head.hostStart, hostEnd).toLowerCase();
      const hash = hashHost(bytes, head.hostStart, hostEnd);
      const group = this.longest(hash, host, source, from, to);
      if (group !== null) return group;
    }
    return this.longest(ANY_HOST, "", source, from, to);
  }

  private longest(
    start: number,
    host: string,
    source: Uint8Array,
    from: number,
    to: number,
  ): Group | null {
    let best = this.lookup(start, host, source, from, from);
    let hash = start;
    for (let at = from; at < to; at++) {
      const byte = source[at]!;
      if (byte === SLASH && at > from) {
        best = this.lookup(hash, host, source, from, at) ?? best;
      }
      hash = step(hash, byte);
    }
    if (to > from) best = this.lookup(hash, host, source, from, to) ?? best;
    return best;
  }

  private lookup(
    hash: number,
    host: string,
    source: Uint8Array,
    from: number,
    to: number,
  ): Group | null {
    const bucket = this.groups.get(hash);
    if (bucket === undefined) return null;
    for (const group of bucket) {
      if (group.host !== host || group.path.length !== to - from) continue;
      if (beginsWith(source, from, to, group.path)) return group;
    }
    return null;
  }
}

function hashHost(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    hash = step(hash, byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);
  }
  return hash;
}

function beginsWith(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) return false;
  for (let at = 0; at < word.length; at++) if (bytes[from + at] !== word[at]) return false;
  return true;
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && beginsWith(left, 0, left.length, right);
}
