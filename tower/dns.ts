// What the tower answers to DNS questions, as records; live/dns.ts makes packets of them.
//
//   <app>.skr8tr.               A, AAAA   addresses of the ready replicas, each once, in turn
//   <app>.skr8tr.               SRV       each ready replica: its port, and a name for its address
//   _<app>._tcp.skr8tr.         SRV       the same, as RFC 2782 writes it
//   <address>.<app>.skr8tr.     A, AAAA   that one address: 10-0-0-7.api.skr8tr.
//
// Negative answers carry the zone's SOA (RFC 2308), so that resolvers keep them for DNS_TTL_S only.

import { DNS_ANSWERS, DNS_TTL_S } from "../core/limits.ts";

/** The zone that the tower is the authority for. */
export const ZONE = "skr8tr";

export interface Question {
  readonly name: string;
  readonly type: string;
  readonly class: string;
}

export type DnsRecord =
  | {
    readonly name: string;
    readonly type: "A" | "AAAA";
    readonly ttl: number;
    readonly data: string;
  }
  | { readonly name: string; readonly type: "SRV"; readonly ttl: number; readonly data: Service }
  | { readonly name: string; readonly type: "SOA"; readonly ttl: number; readonly data: Authority };

/** RFC 2782. */
interface Service {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 1035, 3.3.13. */
interface Authority {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export interface DnsAnswer {
  readonly rcode: "NOERROR" | "NXDOMAIN" | "SERVFAIL" | "REFUSED";
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** A ready replica, as far as DNS is concerned. */
export interface Place {
  readonly endpoint: { readonly host: string; readonly port: number };
}

/** What DNS has to know of the registry. */
export interface Directory {
  /** Where an app's ready replicas are; none for an unknown app. */
  ofApp(app: string): readonly Place[];
  /** False while a fresh tower may not know every app. */
  readonly isComplete: boolean;
  /** Revision of the registry, for the zone's serial. */
  readonly revision: number;
}

/**
 * Answers one question. `turn` says whose replica stands first; a caller counts it up, so that
 * clients which take the first record are spread.
 */
export function answerDns(question: Question, directory: Directory, turn: number): DnsAnswer {
  const name = question.name.toLowerCase().replace(/\.$/, "");
  if (question.class !== "IN" && question.class !== "ANY") return bare("REFUSED");
  if (name === ZONE) {
    return question.type === "SOA" || question.type === "ANY"
      ? positive([soa(directory)])
      : negative("NOERROR", directory);
  }
  if (!name.endsWith(`.${ZONE}`)) return bare("REFUSED");
  const found = find(question.name.replace(/\.$/, "").slice(0, -ZONE.length - 1), directory);
  if (found === null) {
    // "It does not exist" would be kept; "ask again" is the truth.
    return directory.isComplete ? negative("NXDOMAIN", directory) : bare("SERVFAIL");
  }
  const { app, places, kinds } = found;
  const inTurn = rotate(places, turn).slice(0, DNS_ANSWERS).map((place) => place.endpoint);
  const answers: DnsRecord[] = [];
  for (const type of ["A", "AAAA"] as const) {
    if (kinds.address && (question.type === type || question.type === "ANY")) {
      answers.push(...addresses(question.name, type, inTurn.map((place) => place.host)));
    }
  }
  if (!kinds.service || (question.type !== "SRV" && question.type !== "ANY")) {
    return answers.length > 0 ? positive(answers) : negative("NOERROR", directory);
  }
  const services = inTurn.map(({ host, port }): DnsRecord => ({
    name: question.name,
    type: "SRV",
    ttl: DNS_TTL_S,
    data: { priority: 0, weight: 1, port, target: nameOf(host, app) },
  }));
  const hosts = [...new Set(inTurn.map((place) => place.host))];
  const additionals = hosts.flatMap((host) => [
    ...addresses(nameOf(host, app), "A", [host]),
    ...addresses(nameOf(host, app), "AAAA", [host]),
  ]);
  return positive([...answers, ...services], additionals);
}

interface Found {
  readonly app: string;
  readonly places: readonly Place[];
  /** Which kinds of record the name has. */
  readonly kinds: { readonly address: boolean; readonly service: boolean };
}

/** What stands under a name of the zone, its end cut off; `null` for nothing. */
function find(name: string, directory: Directory): Found | null {
  // Names in DNS know no case; apps do, and are small letters as a rule.
  for (const app of new Set([name, name.toLowerCase()])) {
    const places = directory.ofApp(app);
    if (places.length > 0) return { app, places, kinds: { address: true, service: true } };
  }
  const lower = name.toLowerCase();
  const service = /^_(.+)\._tcp$/.exec(lower)?.[1];
  if (service !== undefined) {
    const places = directory.ofApp(service);
    if (places.length === 0) return null;
    return { app: service, places, kinds: { address: false, service: true } };
  }
  const cut = lower.indexOf(".");
  if (cut < 0) return null;
  const app = lower.slice(cut + 1);
  // Only addresses that the app has: a name must not be made to mean any address one likes.
  const label = lower.slice(0, cut);
  const places = directory.ofApp(app).filter(({ endpoint }) => labelOf(endpoint.host) === label);
  if (places.length === 0) return null;
  return { app, places, kinds: { address: true, service: false } };
}

function nameOf(host: string, app: string): string {
  return `${labelOf(host)}.${app}.${ZONE}`;
}

/** An address as one label: `10.0.0.7` -> `10-0-0-7`, `::1` -> `0--1`. */
function labelOf(host: string): string {
  const label = host.toLowerCase().replace(/[.:]/g, "-");
  return label.startsWith("-") ? `0${label}` : label;
}

function addresses(name: string, type: "A" | "AAAA", hosts: readonly string[]): DnsRecord[] {
  const fits = (host: string) => type === "AAAA" ? host.includes(":") : /^[0-9.]+$/.test(host);
  return [...new Set(hosts.filter(fits))].map((data) => ({ name, type, ttl: DNS_TTL_S, data }));
}

function rotate<T>(items: readonly T[], turn: number): T[] {
  const start = turn % items.length;
  // No more than can be answered is copied, however many replicas there are.
  const first = items.slice(start, start + DNS_ANSWERS);
  return first.length < DNS_ANSWERS ? [...first, ...items.slice(0, start)] : first;
}

function positive(
  answers: readonly DnsRecord[],
  additionals: readonly DnsRecord[] = [],
): DnsAnswer {
  return { rcode: "NOERROR", answers, authorities: [], additionals };
}

function negative(rcode: "NOERROR" | "NXDOMAIN", directory: Directory): DnsAnswer {
  return { rcode, answers: [], authorities: [soa(directory)], additionals: [] };
}

function bare(rcode: "SERVFAIL" | "REFUSED"): DnsAnswer {
  return { rcode, answers: [], authorities: [], additionals: [] };
}

function soa(directory: Directory): DnsRecord {
  return {
    name: ZONE,
    type: "SOA",
    ttl: DNS_TTL_S,
    data: {
      mname: `tower.${ZONE}`,
      rname: `operator.${ZONE}`,
      serial: directory.revision % 2 ** 32,
      refresh: 60,
      retry: 10,
      expire: 60,
      minimum: DNS_TTL_S,
    },
  };
}
