// The node's copy of the log's signed commands, and which of them it may run from.
//
// A record counts only once its signature was verified with an operator's key that this node was
// given. Verification is asked for as an effect: here only who waits for what is kept.

import { parseOperatorCommand } from "../core/command.ts";
import { NODE_RECORDS, NODE_REFUSALS } from "../core/limits.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { FollowMessage } from "../core/mesh.ts";
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

type Held =
  | { at: "loaded"; readonly record: LogRecord }
  | { at: "verifying"; readonly record: LogRecord; readonly fresh: boolean }
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

export class Records {
  readonly #held = new Map<number, Held>();
  readonly #refused = new Map<number, string>();
  /** Held sequences by app, oldest first. */
  readonly #byApp = new Map<string, number[]>();
  /**
   * Fresh records in the order in which they came, until each is settled. They go to disk in this
   * order, so that after a crash at any moment nothing is missing before the last that the disk has.
   */
  readonly #fresh = new Map<number, LogRecord | "refused" | "open">();
  readonly #newest = new Map<string, Newest>();
  /** The same among records from this node's disk, which are not verified yet. */
  readonly #newestLoaded = new Map<string, Newest>();
  #head = 0;
  #last = 0;

  /** @param trustPaths manifests that no operator signed, only their paths (v1), are run, too */
  constructor(private readonly trustPaths = false) {}

  /** The last sequence of which this node knows: everything after it is still to be followed. */
  get sequence(): number {
    return this.#last;
  }

  /** Takes in a record from this node's own disk: verified again when something runs from it. */
  load(record: LogRecord): void {
    this.#last = Math.max(this.#last, record.sequence);
    if (!applies(record)) return;
    this.#held.set(record.sequence, { at: "loaded", record });
    const label = labelOf(record);
    if (label && label.generation > (this.#newestLoaded.get(label.app)?.generation ?? 0)) {
      this.#newestLoaded.set(label.app, label);
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
   * that the newest names under its signature. An older one would bring back what was replaced.
   * A record that has to be verified for the answer comes back with `verify`.
   */
  permit(app: string, generation: number): {
    readonly at: "held" | "verifying" | "refused";
    readonly reason: string;
    readonly verify?: LogRecord;
  } {
    const loaded = this.#newestLoaded.get(app);
    if (loaded && loaded.generation > generation) {
      const { answer, verify } = this.need(loaded.sequence);
      if (answer.at === "verifying") {
        return { at: "verifying", reason: "", ...(verify ? { verify } : {}) };
      }
    }
    const newest = this.#newest.get(app);
    if (!newest || newest.generation <= generation || newest.fallback === generation) {
      return { at: "held", reason: "" };
    }
    const reason = `generation ${generation} of ${app} is not to be started any more: generation ` +
      `${newest.generation} replaced it and does not name it as its fallback`;
    return { at: "refused", reason };
  }

  /** Takes in a record from the conductor; says whether it is news and must be verified. */
  receive(record: LogRecord): boolean {
    this.#last = Math.max(this.#last, record.sequence);
    this.#head = Math.max(this.#head, record.sequence);
    const known = this.#held.get(record.sequence);
    if (known && known.at !== "loaded") return false;
    this.#refused.delete(record.sequence);
    this.#held.set(record.sequence, { at: "verifying", record, fresh: !known });
    if (!known) this.#fresh.set(record.sequence, "open");
    return true;
  }

  /** The conductor has sent everything up to here. */
  reachHead(sequence: number): void {
    this.#head = Math.max(this.#head, sequence);
    this.#last = Math.max(this.#last, sequence);
  }

  /**
   * Takes in what verification said: `null`, or why not. What is to be kept on disk now comes back:
   * this record and those behind it, once none before it is open.
   */
  settle(sequence: number, refusal: string | null): readonly LogRecord[] {
    const held = this.#held.get(sequence);
    if (held?.at !== "verifying") return [];
    this.#held.delete(sequence);
    if (held.fresh) this.#fresh.set(sequence, refusal === null ? held.record : "refused");
    if (refusal !== null) {
      this.#refuse(sequence, refusal);
      return this.#takeSettled();
    }
    const read = readRecord(held.record, this.trustPaths);
    if (read !== null && "reason" in read) this.#refuse(sequence, read.reason);
    else if (read !== null) this.#hold(sequence, read);
    return this.#takeSettled();
  }

  #takeSettled(): LogRecord[] {
    const settled: LogRecord[] = [];
    for (const [sequence, record] of this.#fresh) {
      if (record === "open") break;
      this.#fresh.delete(sequence);
      if (record !== "refused") settled.push(record);
    }
    return settled;
  }

  /** What is known of a sequence; a record to verify comes back with `verify`. */
  need(sequence: number): { readonly answer: RecordAnswer; readonly verify?: LogRecord } {
    const reason = this.#refused.get(sequence);
    if (reason !== undefined) return { answer: { at: "refused", reason } };
    const held = this.#held.get(sequence);
    switch (held?.at) {
      case undefined:
        return { answer: this.#absent(sequence) };
      case "loaded":
        this.#held.set(sequence, { at: "verifying", record: held.record, fresh: false });
        return { answer: { at: "verifying" }, verify: held.record };
      case "verifying":
        return { answer: { at: "verifying" } };
      case "held":
        return { answer: held };
      default:
        return held satisfies never;
    }
  }

  #absent(sequence: number): RecordAnswer {
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

const APPLYING: readonly string[] = ["APPLY", "SUBMIT", "ROLLOUT"];

/** Says whether a record may describe an app. */
function applies(record: LogRecord): boolean {
  return APPLYING.includes(splitVerb(record.text)[0]);
}

/** The app and what it is; a reason where the record cannot be run; `null` if it applies none. */
function readRecord(
  record: LogRecord,
  trustPaths: boolean,
): Read | { readonly reason: string } | null {
  const number = `record ${record.sequence}`;
  const command = parseOperatorCommand(record.text.slice(0, record.text.lastIndexOf("|")));
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
