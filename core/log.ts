/**
 * The one append-only log: the conductor's store, the audit, the replay guard and the ledger.
 *
 * Each entry names the hash of the one before, so that a changed, removed or reordered entry shows.
 * State is what `conductor/state.ts` makes of the entries, in their order, and nothing else.
 */

import { sha256Hex } from "./bytes.ts";
import type { Run } from "./job.ts";
import type { Member, TokenTerms } from "./seal/member.ts";

/** An operator's signed command as it stands in the log. */
export interface SignedRecord {
  /** `<command>|<unix seconds>`. */
  readonly text: string;
  readonly signatureHex: string;
  /** Fingerprint of the operator's key. */
  readonly key: string;
}

/** The command of a record, without its time. */
export function commandOf(signed: Pick<SignedRecord, "text">): string {
  return signed.text.slice(0, signed.text.lastIndexOf("|"));
}

/** One replica's place, as decided. */
export interface Place {
  readonly replica: string;
  readonly app: string;
  readonly generation: number;
  /** The log's sequence of the APPLY it runs. */
  readonly sequence: number;
  readonly index: number;
  readonly node: string;
  /** The run of a job that it belongs to. */
  readonly run?: number;
  /** Present: not a replica, but the generation's `before`. */
  readonly part?: "before";
}

/** A replica that runs on as another generation says: nothing of its program differs. */
export interface Relabel {
  readonly replica: string;
  readonly generation: number;
  /** The log's sequence of the APPLY that it is run by from now on. */
  readonly sequence: number;
}

/** A turn that a rollout takes by the conductor's own judgement. */
export interface RolloutTurn {
  /**
   * `before-done`: what runs before the first replica has succeeded; `canary`: its share of requests
   * begins; `promoted`: the canary was as good as the old; `done`: all are replaced; `failed`: it
   * is worse, or never got there; `restart`: all replicas are to be replaced one after another.
   */
  readonly turn: "before-done" | "canary" | "promoted" | "done" | "failed" | "restart";
  readonly app: string;
  readonly generation: number;
  readonly reason: string;
  /** With `failed`: the signed fallback that is run again from here on. */
  readonly back?: number;
  /** With `failed`: nothing more is done until an operator lets it go on. */
  readonly hold?: true;
  /** With `failed`: the replica that shows it, and the name of its node. */
  readonly replica?: string;
  readonly node?: string;
}

export type EntryBody =
  | {
    readonly kind: "command";
    readonly signed: SignedRecord;
    /** Manifest text that a v1 SUBMIT or ROLLOUT found at its path. */
    readonly manifest?: string;
    readonly reply: string;
    /** One line for people: who did what, from where. */
    readonly audit: string;
    /** The end of the chain of signed commands with this one (core/chain.ts). */
    readonly chain?: string;
  }
  | {
    /** What the conductor decided by itself, within what is signed. */
    readonly kind: "decision";
    readonly place: readonly Place[];
    /** Replicas that are to be drained and stopped. */
    readonly leave: readonly string[];
    /** Replicas that no longer exist. */
    readonly gone: readonly string[];
    /** Replicas that are to move to a better node, when their replacement is ready. */
    readonly move?: readonly string[];
    /** Apps whose rebalancing, asked for by an operator, has been worked out. */
    readonly balanced?: readonly string[];
    /** Runs of jobs as they are from here on. */
    readonly runs?: readonly { readonly app: string; readonly run: Run }[];
    /** Apps that get another number of replicas, within what their manifests' `scale` allows. */
    readonly scale?: readonly { readonly app: string; readonly count: number }[];
    /** Replicas that become another generation's as they run. */
    readonly relabel?: readonly Relabel[];
    /** Why, one line an operation, in the order of the lists. */
    readonly reasons: readonly string[];
  }
  | (RolloutTurn & { readonly kind: "rollout" })
  | { readonly kind: "node"; readonly node: string; readonly name: string }
  /** The key that secrets are sealed to for this node, base64; it stays this one. */
  | { readonly kind: "node-key"; readonly node: string; readonly publicKey: string }
  | {
    /** A command of an operator that changed nothing: a late copy of it must not, either. */
    readonly kind: "refused";
    /** Replay marks, and when each was signed (unix seconds). */
    readonly marks: readonly (readonly [mark: string, unixS: number])[];
    readonly key: string;
    readonly reply: string;
    readonly audit: string;
  }
  | {
    /** The first entry of a log that was rebuilt from a node's copy; it keeps its old name. */
    readonly kind: "recovered";
    readonly log: string;
    /** The node whose copy it was, and the last record of it. */
    readonly node: string;
    readonly last: number;
  }
  /** What stood here was in no node's copy: a decision of the conductor, or a node's joining. */
  | { readonly kind: "lost" }
  | {
    /** Replicas that ran when the log was rebuilt: they go on. */
    readonly kind: "adopted";
    readonly place: readonly Place[];
    /** App -> how many ids of replicas may have been used. */
    readonly placed: readonly (readonly [app: string, count: number])[];
  }
  | {
    /** One of several conductors begins to lead: whoever led before can write nothing after this. */
    readonly kind: "term";
    readonly term: number;
    /** The conductor's name, and whose key it holds (hex SHA-256); all of a cluster hold the same. */
    readonly name: string;
    readonly identity: string;
  }
  | {
    /** The keys that the conductor was given when it was started, where the log has them not yet. */
    readonly kind: "roots";
    /** Fingerprint and raw key in base64. */
    readonly roots: readonly (readonly [key: string, publicKey: string])[];
  }
  | {
    /** A daemon came in with a token that an operator had signed. */
    readonly kind: "join";
    readonly member: Member;
    readonly terms: TokenTerms;
    readonly token: SignedRecord;
    /** Raw in base64, and its signature over the member's static key. */
    readonly identityKey: string;
    readonly certificate: string;
    readonly audit: string;
  }
  | {
    /** Single sign-on let somebody look at the deck. */
    readonly kind: "sign-in";
    readonly name: string;
    /** The issuer's own name of this person. */
    readonly subject: string;
    readonly issuer: string;
    readonly audit: string;
  };

/** One committed entry. */
export interface Entry {
  /** 1, 2, 3, ... without gaps. */
  readonly sequence: number;
  readonly wallMs: number;
  /** `hash` of the entry before; 64 zeros for the first. */
  readonly previous: string;
  /** Hex SHA-256 over all of the above and the body. */
  readonly hash: string;
  readonly body: EntryBody;
}

/** The name of the log that begins with this entry. */
export function logNameOf(first: Entry): string {
  return first.body.kind === "recovered" ? first.body.log : first.hash;
}

export const NO_HASH = "0".repeat(64);

/** Where a log ends. */
export interface Head {
  readonly sequence: number;
  readonly hash: string;
}

export const EMPTY_HEAD: Head = { sequence: 0, hash: NO_HASH };

/** The entry that follows `head`. */
export function nextEntry(head: Head, wallMs: number, body: EntryBody): Entry {
  const sequence = head.sequence + 1;
  wallMs = Math.round(wallMs);
  return {
    sequence,
    wallMs,
    previous: head.hash,
    hash: hashOf(sequence, wallMs, head.hash, body),
    body,
  };
}

/** Says what is wrong with an entry that should follow `head`, or `null` if nothing is. */
export function checkEntry(head: Head, entry: Entry): string | null {
  if (entry.sequence !== head.sequence + 1) {
    return `entry ${entry.sequence} follows entry ${head.sequence}: one is missing or out of place`;
  }
  if (entry.previous !== head.hash) {
    return `entry ${entry.sequence} does not follow entry ${head.sequence}: one was replaced`;
  }
  const { sequence, wallMs, previous, body } = entry;
  if (entry.hash !== hashOf(sequence, wallMs, previous, body)) {
    return `entry ${entry.sequence} was changed`;
  }
  return null;
}

function hashOf(sequence: number, wallMs: number, previous: string, body: EntryBody): string {
  return sha256Hex(JSON.stringify([sequence, wallMs, previous, body]));
}

/** What keeps the log. One contract suite (tests/contract/store.ts) holds for every implementation. */
export interface LogStore {
  /**
   * Appends an entry durably.
   *
   * @throws {Failure} `store-conflict` if the last sequence is not `entry.sequence - 1`;
   *   `store-failed` if it could not be made durable: nothing was appended then; `store-unsure`
   *   where nobody can say (only of a store that others write, too): read on before anything else.
   */
  append(entry: Entry): Promise<void>;
  /** Entries after `sequence`, at most `limit`, in order. */
  read(sequence: number, limit: number): Promise<Entry[]>;
  head(): Promise<Head>;
  /** Keeps a state that was made of all entries up to `head`; replaces the one before. */
  saveSnapshot(head: Head, state: string): Promise<void>;
  /** The last kept state, or `null`. A damaged one counts as none: the log can make it again. */
  loadSnapshot(): Promise<{ readonly head: Head; readonly state: string } | null>;
  close(): Promise<void>;
}

/** Who leads, as everybody who looks at the store sees it. */
export interface Lease {
  /** Of this writing of it. Each is greater than all before. */
  readonly revision: number;
  /** What whoever wrote it last said of itself; `null`: it was given back. */
  readonly holder: string | null;
}

/**
 * A log that several conductors open, and the lease by which one of them leads. The store knows
 * nothing of time: how long a lease holds is measured by who holds it and by who wants it, each on a
 * clock of its own (conductor/leading/leadership.ts).
 */
export interface SharedStore extends LogStore {
  /** The lease as it stands; `null` where none was ever taken. It may be behind what was written. */
  lease(): Promise<Lease | null>;
  /**
   * Writes the lease if it still is the one of `revision` (0: none was ever taken). The new revision
   * comes back; `null` where somebody else was first.
   *
   * @throws {Failure} `store-unsure`: it may have been written or not; `store-failed`: it was not.
   */
  swapLease(revision: number, holder: string | null): Promise<number | null>;
  /**
   * Calls `changed` soon after another has appended, perhaps more often; what there is, is then to
   * be read. It may stay silent while the store is out of reach.
   */
  watch(changed: () => void): Disposable;
}
