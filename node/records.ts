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
  | { readonly at: "held"; readonly app: string; readonly spec: AppSpec }
  /** Here, or known not to exist, and not to be run from. */
  | { readonly at: "refused"; readonly reason: string };

type Held =
  | { at: "loaded"; readonly record: LogRecord }
  | { at: "verifying"; readonly record: LogRecord; readonly fresh: boolean }
  | { readonly at: "held"; readonly app: string; readonly spec: AppSpec };

export class Records {
  readonly #held = new Map<number, Held>();
  readonly #refused = new Map<number, string>();
  /** Held sequences by app, oldest first. */
  readonly #byApp = new Map<string, number[]>();
  /**
   * Fresh records in the order in which they came, until each is settled. They go to disk in
   * this order, so that after a crash at any moment nothing is missing before
   * the last that the disk has.
   */
  readonly #fresh = new Map<number, LogRecord | "refused" | "open">();
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
    else if (read !== null) this.#hold(sequence, read.app, read.spec);
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

  #hold(sequence: number, app: string, spec: AppSpec): void {
    this.#held.set(sequence, { at: "held", app, spec });
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
): { readonly app: string; readonly spec: AppSpec } | { readonly reason: string } | null {
  const number = `record ${record.sequence}`;
  const command = parseOperatorCommand(record.text.slice(0, record.text.lastIndexOf("|")));
  if ("error" in command) return { reason: `${number}: ${command.error}` };
  switch (command.verb) {
    case "APPLY":
      return readManifest(number, command.manifest, command.app);
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
