// Opening the log: everything in it is checked before anything is done by it.

import { Failure } from "../../core/errors.ts";
import {
  checkEntry,
  EMPTY_HEAD,
  type Entry,
  type EntryBody,
  type Head,
  type LogStore,
} from "../../core/log.ts";
import { parseOperatorCommand } from "../../core/command.ts";
import { changesRoster, Roster } from "../../core/roster.ts";
import { fingerprint } from "../../core/signed.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { applyEntry } from "../apply.ts";
import { loadState } from "../snapshot.ts";
import { currentOf, emptyState, type State } from "../state.ts";

/** The operators' public keys by fingerprint; `null`: started with `--insecure`, anybody's counts. */
export type Operators = ReadonlyMap<string, Uint8Array> | null;

/** Fingerprint that stands for whoever commands a conductor started with `--insecure`. */
export const NOBODY = "0".repeat(64);

/** Reads the operators' public key files. */
export async function readOperators(files: readonly string[]): Promise<Operators> {
  const operators = new Map<string, Uint8Array>();
  for (const file of files) {
    let key: Uint8Array;
    try {
      key = await Deno.readFile(file);
    } catch (error) {
      throw new Failure(
        "no-key",
        `cannot read the public key ${file}: ${(error as Error).message}`,
      );
    }
    if (key.length !== 1952) {
      throw new Failure(
        "no-key",
        `${file} is no ML-DSA-65 public key: it has ${key.length} bytes, not 1952; ` +
          "skr8tr keygen makes a pair",
      );
    }
    operators.set(fingerprint(key), key);
  }
  return operators;
}

/** Finds the operator who signed the text; `null` if none did. */
export async function signerOf(
  keys: KeyRing | null,
  verifier: Verifier,
  text: string,
  signatureHex: string,
): Promise<string | null> {
  if (keys === null) return NOBODY;
  for (const [name, key] of keys.all()) {
    if (!await verifier.verify(key, text, signatureHex)) continue;
    keys.used(name);
    return name;
  }
  return null;
}

/** The keys that are valid now, the one that signed last first. */
export class KeyRing {
  #keys: [key: string, publicKey: Uint8Array][] = [];
  #at = -1;

  constructor(private readonly state: () => State) {}

  all(): readonly (readonly [key: string, publicKey: Uint8Array])[] {
    const { roster } = this.state();
    if (this.#at !== roster.version) {
      const valid = roster.keysAt(Infinity);
      const rank = new Map(this.#keys.map(([key], at) => [key, at]));
      this.#keys = valid
        .sort((a, b) => (rank.get(a.key) ?? Infinity) - (rank.get(b.key) ?? Infinity))
        .map((each) => [each.key, Uint8Array.fromBase64(each.publicKey)]);
      this.#at = roster.version;
    }
    return this.#keys;
  }

  used(name: string): void {
    const at = this.#keys.findIndex(([key]) => key === name);
    if (at > 0) this.#keys.unshift(...this.#keys.splice(at, 1));
  }
}

const PAGE = 500;

/** Every entry of the log after `from`, in order, the chain checked. */
export async function* readLog(store: LogStore, from: Head): AsyncGenerator<Entry> {
  let head = from;
  for (;;) {
    const entries = await store.read(head.sequence, PAGE);
    for (const entry of entries) {
      const wrong = checkEntry(head, entry);
      if (wrong !== null) {
        throw new Failure(
          "store-damaged",
          `the log is damaged: ${wrong}; restore the state folder from a backup`,
        );
      }
      yield entry;
      head = { sequence: entry.sequence, hash: entry.hash };
    }
    if (entries.length < PAGE) return;
  }
}

/**
 * The state that the log describes, made from its last snapshot and what came after it.
 *
 * @param marked how far the log went when it was last written, if that is known.
 * @throws {Failure} `store-damaged` if an entry was changed, removed or reordered, the log's end is
 *   missing, or what is to run now was signed by none of the operators.
 */
export async function openState(
  store: LogStore,
  operators: Operators,
  verifier: Verifier,
  marked: Head | null = null,
): Promise<State> {
  const snapshot = await store.loadSnapshot();
  const saved = snapshot && loadState(snapshot.head, snapshot.state);
  const end = await store.head();
  const remedy = "restore the state folder from a backup";
  const begin = () => {
    const state = emptyState();
    addRoots(state, operators);
    return state;
  };
  let state = saved ?? begin();
  addRoots(state, operators);
  if (saved && !await standsIn(store, saved.head)) {
    if (saved.head.sequence > end.sequence) {
      throw new Failure(
        "store-damaged",
        `the log ends at ${end.sequence}, its snapshot was made at ${saved.head.sequence}: ` +
          `entries were cut off; ${remedy}`,
      );
    }
    state = begin();
  }
  if (state.head.sequence <= PAST_AT_START) await checkPast(store, state.head);
  for await (const entry of readLog(store, state.head)) fold(state, entry);
  if (marked && (marked.sequence > end.sequence || !await standsIn(store, marked))) {
    throw new Failure(
      "store-damaged",
      `the log ends at ${end.sequence} and does not hold entry ${marked.sequence}, which it once ` +
        `had: it was emptied, cut or replaced; ${remedy} (or remove its log.head to begin anew)`,
    );
  }
  await checkSignatures(state, store, operators, verifier);
  return state;
}

/** Entries before a snapshot that are checked at the start; of a longer past, while it runs. */
export const PAST_AT_START = 5_000;

/**
 * Checks the chain of all entries up to `head`, which a start from a snapshot passes over.
 *
 * @throws {Failure} `store-damaged`.
 */
export async function checkPast(store: LogStore, head: Head): Promise<void> {
  if (head.sequence === 0) return;
  let last = EMPTY_HEAD;
  for await (const entry of readLog(store, EMPTY_HEAD)) {
    last = entry;
    if (last.sequence === head.sequence) break;
  }
  if (last.hash === head.hash) return;
  throw new Failure(
    "store-damaged",
    `the log is damaged: entry ${head.sequence} is not the one of its snapshot; ` +
      "restore the state folder from a backup",
  );
}

function fold(state: State, entry: Entry): void {
  try {
    applyEntry(state, entry);
  } catch (error) {
    throw new Failure(
      "store-damaged",
      `the log is damaged: entry ${entry.sequence} makes no sense (${(error as Error).message}); ` +
        "restore the state folder from a backup",
      { cause: error },
    );
  }
}

/** Says whether the log has, at the head's place, the entry that the head names. */
async function standsIn(store: LogStore, head: Head): Promise<boolean> {
  if (head.sequence === 0) return true;
  const [entry] = await store.read(head.sequence - 1, 1);
  return entry?.hash === head.hash;
}

/** The manifest that a command of the log applies; `undefined` where it applies none. */
function manifestOf(body: Extract<EntryBody, { kind: "command" }>): string | undefined {
  const { text } = body.signed;
  const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
  if ("error" in command) return undefined;
  return command.verb === "APPLY" ? command.manifest : body.manifest;
}

/** The operators that this conductor was started with, as roots of the roster. */
function addRoots(state: State, operators: Operators): void {
  for (const [key, publicKey] of operators ?? []) state.roster.addRoot({ key, publicKey });
}

/**
 * Makes the roster again from the roots and the signed commands that changed it.
 *
 * @throws {Failure} `store-damaged` if one was not signed by who could, or the roster is another.
 */
async function checkRoster(
  state: State,
  store: LogStore,
  operators: Operators,
  verifier: Verifier,
): Promise<void> {
  const roster = new Roster();
  for (const [key, publicKey] of operators ?? []) roster.addRoot({ key, publicKey });
  const damaged = (sequence: number, why: string) =>
    new Failure(
      "store-damaged",
      `the operators that log entry ${sequence} names were signed by none of those who could: ` +
        `${why}; restore the state folder, or give --pubkey the key that began this log`,
    );
  for (const sequence of state.roster.changes) {
    const [entry] = await store.read(sequence - 1, 1);
    if (entry?.body.kind !== "command") throw damaged(sequence, "it is no command");
    const { text, signatureHex, key } = entry.body.signed;
    const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
    if (!changesRoster(command)) throw damaged(sequence, "it is another command");
    const own = command.verb === "ROTATE" && roster.nameAt(sequence, key) === command.name;
    const why = own ? null : roster.whyNot(sequence, key, "admin", {}, entry.wallMs / 1000);
    if (why !== null) throw damaged(sequence, why);
    const known = roster.keysAt(sequence).find((each) => each.key === key);
    const good = known &&
      await verifier.verify(Uint8Array.fromBase64(known.publicKey), text, signatureHex);
    if (!good) throw damaged(sequence, "its signature does not verify");
    roster.apply(sequence, command);
  }
  if (roster.describe() !== state.roster.describe()) {
    throw damaged(state.head.sequence, "the snapshot has other operators than the log");
  }
}

/** A rewritten store cannot make this conductor run what no operator signed. */
async function checkSignatures(
  state: State,
  store: LogStore,
  operators: Operators,
  verifier: Verifier,
): Promise<void> {
  if (operators === null) return;
  await checkRoster(state, store, operators, verifier);
  for (const app of state.apps.values()) {
    const { sequence, generation, manifest } = currentOf(app);
    const [entry] = await store.read(sequence - 1, 1);
    const body = entry?.body.kind === "command" ? entry.body : undefined;
    const signed = body && manifestOf(body) === manifest ? body.signed : undefined;
    // By the keys valid at its place: who was revoked later has signed it all the same.
    const known = signed &&
      state.roster.keysAt(sequence).find((each) => each.key === signed.key);
    const good = signed && known && await verifier.verify(
      Uint8Array.fromBase64(known.publicKey),
      signed.text,
      signed.signatureHex,
    );
    if (good) continue;
    throw new Failure(
      "store-damaged",
      `generation ${generation} of ${app.name} (log entry ${sequence}) was signed by none of the ` +
        "keys given with --pubkey; add the key that signed it, or restore the state folder",
    );
  }
}
