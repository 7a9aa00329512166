// The node's copy of the log's signed commands, and which of them it may run from.
//
// A record counts only once its signature was verified with the key of an operator who might say so
// at that place of the log. The operators are computed here, from the keys that this node was given
// and from the records themselves; so records are settled in their order, and one that changes the
// operators is settled before those behind it are looked at. Verification is asked for as an effect.
//
// All records are kept, those that do not count as well: the copy is a chain (core/chain.ts), and
// what the conductor shows must go on from where it ends.

import { NEEDED_ROLE, reachOf } from "../core/authority.ts";
import { type Anchor, genesisOf, linkOf } from "../core/chain.ts";
import { parseOperatorCommand } from "../core/command.ts";
import { NODE_BACKDATE_S, NODE_OPENED, NODE_RECORDS, NODE_REFUSALS } from "../core/limits.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { FollowMessage } from "../core/mesh.ts";
import { changesRoster, type Root, Roster } from "../core/roster.ts";
import { splitVerb } from "../core/wire.ts";

/** A signed command as it came from the conductor's log. */
export type LogRecord = Omit<Extract<FollowMessage, { k: "record" }>, "k">;

/** What is known of one sequence of the log. */
export type RecordAnswer =
  /** Not here (yet). */
  | { readonly at: "absent" }
  /** Here; its signature is being verified. */
  | { readonly at: "verifying" }
  | ({ readonly at: "held" } & Read)
  /** Here, or known not to exist, and not to be run from. */
  | { readonly at: "refused"; readonly reason: string };

/** A signature to check; without a key nobody's is asked for (`--insecure`). */
export interface Check {
  readonly record: LogRecord;
  /** Raw, in base64. */
  readonly publicKey: string | null;
}

/** What settling a record leads to. */
export interface Settled {
  /** Records to be kept on disk, in this order. */
  readonly keep: readonly LogRecord[];
  readonly checks: readonly Check[];
  /** Sequences that are settled now, with the reason where one is refused. */
  readonly settled: readonly (readonly [sequence: number, refusal: string | null])[];
}

type Held =
  | { at: "loaded"; readonly record: LogRecord }
  | { at: "verifying" }
  | ({ readonly at: "held" } & Read);

/** What a record says of an app. v1 commands by path number no generations. */
export interface Read {
  readonly app: string;
  readonly spec: AppSpec;
  readonly generation?: number;
  readonly fallback?: number;
}

/** The newest generation of an app among the records that this node holds. */
interface Newest {
  readonly sequence: number;
  readonly generation: number;
  readonly fallback?: number;
}

interface Waiting {
  readonly record: LogRecord;
  /** Not from this node's own disk. */
  readonly fresh: boolean;
  readonly changesRoster: boolean;
  started: boolean;
  /** What verification said; absent while it is under way. */
  refusal?: string | null;
}

export interface RecordsOptions {
  /** Manifests that no operator signed, only their paths (v1), are run, too. */
  readonly trustPaths?: boolean;
  /** The keys that this node was given; none: it runs what nobody signed (`--insecure`). */
  readonly roots?: readonly Root[];
  readonly anchor?: Anchor;
}

export class Records {
  readonly roster = new Roster();
  readonly #options: RecordsOptions;
  readonly #held = new Map<number, Held>();
  readonly #refused = new Map<number, string>();
  /** Held sequences by app, oldest first. */
  readonly #byApp = new Map<string, number[]>();
  readonly #newest = new Map<string, Newest>();
  /** The same among records from this node's disk, which are not verified yet. */
  readonly #newestLoaded = new Map<string, Newest>();
  /** Apps that shall not run, and the sequence of the command that says so. */
  readonly #ended = new Map<string, number>();
  /**
   * Received, or to be settled before others, in the log's order: in this order they go to disk, so
   * that after a crash at any moment nothing is missing before the last that the disk has.
   */
  readonly #queue: Waiting[] = [];
  /** Needed records from disk that wait for the operators before them. */
  readonly #wanted = new Set<number>();
  /** The latest time of signing before each record, for records that are not settled yet. */
  readonly #latestS = new Map<number, number>();
  #newestS = 0;
  /** Requests for streams, as the log has them. */
  readonly #opened = new Set<string>();
  #log: string | null = null;
  #chain = genesisOf("");
  /** Sequence of the last record of the chain. */
  #lastRecord = 0;
  /** Records of a copy from before logs had a name. */
  #nameless: LogRecord[] | null = [];
  #head = 0;
  #last = 0;
  /** Why the conductor's log is not followed. */
  #trouble: string | null = null;

  constructor(options: RecordsOptions = {}) {
    this.#options = options;
    for (const root of options.roots ?? []) this.roster.addRoot(root);
  }

  /** The last sequence of which this node knows: everything after it is still to be followed. */
  get sequence(): number {
    return this.#last;
  }

  /** Where its copy ends. */
  get end(): { readonly log: string | null; readonly sequence: number; readonly chain: string } {
    return { log: this.#log, sequence: this.#lastRecord, chain: this.#chain };
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  // ---- From disk ----------------------------------------------------------------------------------

  /** The log that the copy on disk is of. */
  loadLog(log: string): void {
    this.#log = log;
    this.#chain = genesisOf(log);
    this.#nameless = null;
  }

  /** Takes in a record from this node's own disk: verified again when something runs from it. */
  load(record: LogRecord): void {
    this.#link(record);
    this.#last = Math.max(this.#last, record.sequence);
    if (!applies(record)) {
      const command = commandOf(record);
      if (changesRoster(command)) this.#enqueue(record, false);
      else this.#noteEnd(record.sequence, command);
      return;
    }
    this.#held.set(record.sequence, { at: "loaded", record });
    const label = labelOf(record);
    if (label && label.generation > (this.#newestLoaded.get(label.app)?.generation ?? 0)) {
      this.#newestLoaded.set(label.app, label);
    }
  }

  /** After the last `load`: what must be verified before anything else. */
  loaded(): Settled {
    return this.#start();
  }

  // ---- From the conductor -------------------------------------------------------------------------

  /** The conductor says which log it shows; whether that is to be remembered comes back. */
  hearLog(log: string): boolean {
    this.#trouble = null;
    if (this.#log === log) return false;
    if (this.#log !== null) {
      this.#trouble = `the conductor shows another log (${log.slice(0, 12)}) than the one that ` +
        `this node has a copy of (${this.#log.slice(0, 12)}); skr8tr recover rebuilds a log from ` +
        "such a copy; a node started with --new-log gives its copy up";
      return false;
    }
    const { anchor } = this.#options;
    if (anchor && anchor.log !== log) {
      this.#trouble = `the conductor shows another log (${log.slice(0, 12)}) than this node was ` +
        `told of when it was let in (${anchor.log.slice(0, 12)})`;
      return false;
    }
    this.#log = log;
    this.#chain = genesisOf(log);
    for (const record of this.#nameless ?? []) this.#link(record);
    this.#nameless = null;
    return true;
  }

  /** Takes in a record from the conductor. */
  receive(record: LogRecord): Settled {
    if (this.#trouble !== null || record.sequence <= this.#lastRecord) return NOTHING;
    const wrong = this.#whyNoLink(record);
    if (wrong !== null) {
      this.#trouble = wrong;
      return NOTHING;
    }
    this.#link(record);
    this.#last = Math.max(this.#last, record.sequence);
    this.#head = Math.max(this.#head, record.sequence);
    this.#held.set(record.sequence, { at: "verifying" });
    this.#enqueue(record, true);
    return this.#start();
  }

  /** The conductor has sent everything up to here; `chain` is the end of its chain there. */
  reachHead(sequence: number, chain?: string): void {
    if (this.#isStrict && this.#trouble === null && chain !== this.#chain) {
      this.#trouble = `the conductor's log is not the one that this node has a copy of up to ` +
        `record ${this.#lastRecord}: it was cut or rewritten; skr8tr recover rebuilds it`;
    }
    if (this.#isStrict && this.#trouble === null) this.#trouble = this.#whyTooShort();
    if (this.#trouble !== null) return;
    this.#head = Math.max(this.#head, sequence);
    this.#last = Math.max(this.#last, sequence);
  }

  /** Takes in what verification said of a record: `null`, or why it does not count. */
  settle(sequence: number, refusal: string | null): Settled {
    const waiting = this.#queue.find((each) => each.record.sequence === sequence);
    if (waiting) {
      waiting.refusal = refusal;
      return this.#flush();
    }
    const held = this.#sleeping.get(sequence);
    if (!held) return NOTHING;
    this.#sleeping.delete(sequence);
    const final = this.#finish(held, refusal);
    return { keep: [], checks: [], settled: [[sequence, final]] };
  }

  /** What is known of a sequence, and what must be verified to know more. */
  need(sequence: number): { readonly answer: RecordAnswer; readonly started: Settled } {
    const reason = this.#refused.get(sequence);
    if (reason !== undefined) return { answer: { at: "refused", reason }, started: NOTHING };
    const held = this.#held.get(sequence);
    switch (held?.at) {
      case undefined:
        return { answer: this.#absent(sequence), started: NOTHING };
      case "loaded":
        this.#held.set(sequence, { at: "verifying" });
        this.#sleeping.set(sequence, held.record);
        this.#wanted.add(sequence);
        return { answer: { at: "verifying" }, started: this.#start() };
      case "verifying":
        return { answer: { at: "verifying" }, started: NOTHING };
      case "held":
        return { answer: held, started: NOTHING };
      default:
        return held satisfies never;
    }
  }

  /** Why a record is not what an order says it is, or `null`; v1 records number no generations. */
  static mismatch(
    { app, generation }: Read,
    order: { readonly app: string; readonly generation: number; readonly sequence: number },
  ): string | null {
    if (app !== order.app) return `record ${order.sequence} is of ${app}`;
    if (generation === undefined || generation === order.generation) return null;
    return `record ${order.sequence} is generation ${generation}, not ${order.generation}`;
  }

  /**
   * Says whether this generation of the app may be started: the newest that is held, or the fallback
   * that the newest names under its signature. An older one would bring back what was replaced. What
   * must be verified for the answer comes back with it.
   */
  permit(app: string, generation: number): {
    readonly at: "held" | "verifying" | "refused";
    readonly reason: string;
    /** A record that is on its way may yet allow it. */
    readonly mayChange?: true;
    readonly started: Settled;
  } {
    const loaded = this.#newestLoaded.get(app);
    if (loaded && loaded.generation > generation) {
      const { answer, started } = this.need(loaded.sequence);
      if (answer.at === "verifying") return { at: "verifying", reason: "", started };
    }
    const newest = this.#newest.get(app);
    const refuse = (reason: string) => ({ at: "refused", reason, started: NOTHING } as const);
    const lastApplied = Math.max(newest?.sequence ?? 0, loaded?.sequence ?? 0);
    const ended = this.#ended.get(app);
    if (ended !== undefined && ended > lastApplied) {
      const reason = `${app} is not to run: an operator has ended it (record ${ended})`;
      return { ...refuse(reason), mayChange: true };
    }
    if (!newest || newest.generation <= generation || newest.fallback === generation) {
      return { at: "held", reason: "", started: NOTHING };
    }
    return refuse(
      `generation ${generation} of ${app} is not to be started any more: generation ` +
        `${newest.generation} replaced it and does not name it as its fallback`,
    );
  }

  /** Remembers which apps an operator has ended, and which may run again. */
  #noteEnd(sequence: number, command: ReturnType<typeof commandOf>): void {
    if ("error" in command) return;
    if (ENDING.includes(command.verb) && "app" in command) this.#ended.set(command.app, sequence);
    if (command.verb === "START") this.#ended.delete(command.app);
  }

  /** Says whether the log has this request for a stream, as its operator signed it. */
  hasOpened(text: string): boolean {
    return this.#opened.has(text);
  }

  #noteOpened(text: string): void {
    this.#opened.add(text);
    if (this.#opened.size > NODE_OPENED) this.#opened.delete(this.#opened.keys().next().value!);
  }

  /** Records from disk that are being verified because something is to run from them. */
  readonly #sleeping = new Map<number, LogRecord>();

  // ---- The chain ----------------------------------------------------------------------------------

  /** A node that was given keys takes only what goes on from its own copy. */
  get #isStrict(): boolean {
    return !this.roster.isOpen;
  }

  #whyNoLink(record: LogRecord): string | null {
    if (!this.#isStrict) return null;
    if (this.#log === null) return "the conductor does not say which log it shows";
    const chain = linkOf(this.#chain, record);
    if (record.chain !== chain) {
      return `record ${record.sequence} of the conductor's log does not follow record ` +
        `${this.#lastRecord} of this node's copy: the log was cut or rewritten; skr8tr recover ` +
        "rebuilds it from such a copy";
    }
    const { anchor } = this.#options;
    if (!anchor || record.sequence < anchor.sequence || this.#lastRecord >= anchor.sequence) {
      return null;
    }
    if (record.sequence === anchor.sequence && chain === anchor.chain) return null;
    return this.#anchorMissing(anchor);
  }

  /** All was shown: why that is less than there was when this node was let in; `null` if it is not. */
  #whyTooShort(): string | null {
    const { anchor } = this.#options;
    return anchor?.log === this.#log && this.#lastRecord < anchor.sequence
      ? this.#anchorMissing(anchor)
      : null;
  }

  #anchorMissing({ sequence }: Anchor): string {
    return `the conductor's log does not hold record ${sequence} as this node was told of it when ` +
      "it was let in: it was cut or rewritten";
  }

  #link(record: LogRecord): void {
    this.#nameless?.push(record);
    this.#chain = linkOf(this.#chain, record);
    this.#lastRecord = record.sequence;
    this.#latestS.set(record.sequence, this.#newestS);
    this.#newestS = Math.max(this.#newestS, signedAtS(record));
  }

  // ---- The order ----------------------------------------------------------------------------------

  #enqueue(record: LogRecord, fresh: boolean): void {
    const isKeys = changesRosterOf(record);
    this.#queue.push({ record, fresh, changesRoster: isKeys, started: false });
  }

  /** Begins whatever may begin: no change of operators before it is still open. */
  #start(): Settled {
    const checks: Check[] = [];
    const settled: [number, string | null][] = [];
    let blockedAt = Infinity;
    let atOnce = false;
    for (const waiting of this.#queue) {
      if (!waiting.started) {
        waiting.started = true;
        const check = this.#check(waiting.record);
        if (typeof check === "string") {
          waiting.refusal = check;
          atOnce = true;
        } else checks.push(check);
      }
      if (!waiting.changesRoster) continue;
      blockedAt = waiting.record.sequence;
      break;
    }
    for (const sequence of this.#wanted) {
      if (sequence > blockedAt) continue;
      this.#wanted.delete(sequence);
      const record = this.#sleeping.get(sequence)!;
      const check = this.#check(record);
      if (typeof check !== "string") checks.push(check);
      else {
        this.#sleeping.delete(sequence);
        settled.push([sequence, this.#finish(record, check)]);
      }
    }
    if (!atOnce) return { keep: [], checks, settled };
    const more = this.#flush();
    return {
      keep: more.keep,
      checks: [...checks, ...more.checks],
      settled: [...settled, ...more.settled],
    };
  }

  /** Settles from the front what has been verified, and begins what that lets through. */
  #flush(): Settled {
    const keep: LogRecord[] = [];
    const settled: [number, string | null][] = [];
    for (let first = this.#queue[0]; first?.refusal !== undefined; first = this.#queue[0]) {
      this.#queue.shift();
      settled.push([first.record.sequence, this.#finish(first.record, first.refusal)]);
      if (first.fresh) keep.push(first.record);
    }
    const more = settled.length === 0 ? NOTHING : this.#start();
    return {
      keep: [...keep, ...more.keep],
      checks: more.checks,
      settled: [...settled, ...more.settled],
    };
  }

  /** With which key the record's signature is to be checked; or why it cannot count. */
  #check(record: LogRecord): Check | string {
    if (this.roster.isOpen) return { record, publicKey: null };
    const known = this.roster.keysAt(record.sequence).find((each) => each.key === record.key);
    if (known) return { record, publicKey: known.publicKey };
    return `record ${record.sequence} is signed by a key (${record.key.slice(0, 16)}) ` +
      "that is no operator's, as far as this node was told";
  }

  /** The record is verified, or not: what it means from now on. Why it does not count comes back. */
  #finish(record: LogRecord, wrong: string | null): string | null {
    const { sequence } = record;
    this.#held.delete(sequence);
    const refusal = wrong ?? this.#whyNot(record);
    this.#latestS.delete(sequence);
    if (refusal !== null) {
      this.#refuse(sequence, refusal);
      return refusal;
    }
    const command = commandOf(record);
    if (changesRoster(command)) {
      this.roster.apply(sequence, command);
      return null;
    }
    this.#noteEnd(sequence, command);
    if ("verb" in command && command.verb === "OPEN") this.#noteOpened(record.text);
    const read = readRecord(record, this.#options.trustPaths ?? false);
    if (read !== null && "reason" in read) this.#refuse(sequence, read.reason);
    else if (read !== null) this.#hold(sequence, read);
    return null;
  }

  /** Why its signer might not say this there and then. */
  #whyNot(record: LogRecord): string | null {
    if (this.roster.isOpen) return null;
    const { sequence, key, manifest } = record;
    const command = commandOf(record);
    if ("error" in command) return null;
    const own = command.verb === "ROTATE" && this.roster.nameAt(sequence, key) === command.name;
    if (own) return null;
    const reach = applies(record) ? reachOf(command, () => undefined, manifest) : null;
    // Whose grant has run out may not sign with an old date.
    const latestS = this.#latestS.get(sequence) ?? this.#newestS;
    const timeS = Math.max(signedAtS(record), latestS - NODE_BACKDATE_S);
    const why = this.roster.whyNot(sequence, key, NEEDED_ROLE[command.verb], reach, timeS);
    return why === null ? null : `record ${sequence}: ${why}`;
  }

  #absent(sequence: number): RecordAnswer {
    if (this.#trouble !== null) return { at: "refused", reason: this.#trouble };
    if (sequence > this.#head) return { at: "absent" };
    return {
      at: "refused",
      reason:
        `the log has no signed manifest with the sequence ${sequence} that could still be run`,
    };
  }

  #refuse(sequence: number, reason: string): void {
    this.#refused.set(sequence, reason);
    if (this.#refused.size > NODE_REFUSALS) {
      this.#refused.delete(this.#refused.keys().next().value!);
    }
  }

  #hold(sequence: number, read: Read): void {
    const { app, generation, fallback } = read;
    this.#held.set(sequence, { at: "held", ...read });
    if (generation !== undefined && generation > (this.#newest.get(app)?.generation ?? 0)) {
      const more = fallback === undefined ? {} : { fallback };
      this.#newest.set(app, { sequence, generation, ...more });
    }
    const sequences = this.#byApp.get(app) ?? [];
    this.#byApp.set(app, sequences);
    sequences.push(sequence);
    sequences.sort((a, b) => a - b);
    while (sequences.length > NODE_RECORDS) this.#held.delete(sequences.shift()!);
  }
}

const NOTHING: Settled = { keep: [], checks: [], settled: [] };

/** By these an operator says that an app shall not run. */
const ENDING: readonly string[] = ["DOWN", "EVICT", "STOP"];
const APPLYING: readonly string[] = ["APPLY", "SUBMIT", "ROLLOUT"];

/** Says whether a record may describe an app. */
function applies(record: LogRecord): boolean {
  return APPLYING.includes(splitVerb(record.text)[0]);
}

function commandOf(record: LogRecord): ReturnType<typeof parseOperatorCommand> {
  return parseOperatorCommand(record.text.slice(0, record.text.lastIndexOf("|")));
}

function changesRosterOf(record: LogRecord): boolean {
  return !applies(record) && changesRoster(commandOf(record));
}

function signedAtS(record: LogRecord): number {
  const unixS = Number(record.text.slice(record.text.lastIndexOf("|") + 1));
  return Number.isSafeInteger(unixS) ? unixS : 0;
}

/** The app and what it is; a reason where the record cannot be run; `null` if it applies none. */
function readRecord(
  record: LogRecord,
  trustPaths: boolean,
): Read | { readonly reason: string } | null {
  const number = `record ${record.sequence}`;
  const command = commandOf(record);
  if ("error" in command) return { reason: `${number}: ${command.error}` };
  switch (command.verb) {
    case "APPLY": {
      const read = readManifest(number, command.manifest, command.app);
      if ("reason" in read) return read;
      const { generation, fallback } = command;
      return { ...read, generation, ...(fallback === undefined ? {} : { fallback }) };
    }
    case "SUBMIT":
    case "ROLLOUT":
      if (!trustPaths) {
        return {
          reason: `${number} signs only the path ${command.path}, not what stands there; ` +
            `a node with --trust-paths would run it`,
        };
      }
      return readManifest(number, record.manifest ?? "", null);
    default:
      return null;
  }
}

/** @param app the app that it must describe; `null`: whichever comes first */
function readManifest(
  number: string,
  manifest: string,
  app: string | null,
): { readonly app: string; readonly spec: AppSpec } | { readonly reason: string } {
  const parsed = parseManifest(manifest);
  if (!parsed.ok) {
    return { reason: `${number} holds a manifest with errors: ${parsed.errors[0]?.message}` };
  }
  const spec = parsed.apps.find((each) => app === null || each.name === app);
  return spec ? { app: spec.name, spec } : { reason: `${number} does not describe ${app}` };
}

/** The generation that a record applies, by its text alone. */
function labelOf(record: LogRecord): (Newest & { readonly app: string }) | null {
  const [verb, , app = "", generation = "", fallback = ""] = record.text.split("|", 5);
  if (verb !== "APPLY") return null;
  const more = fallback === "-" ? {} : { fallback: Number(fallback) };
  return { app, sequence: record.sequence, generation: Number(generation), ...more };
}
