/**
 * Who may say what: the operators, their keys and what was granted to them, as the log's signed
 * commands have it. Conductor and nodes compute it alike, each from the keys that it was itself
 * given (its roots) and from commands whose signature it has verified itself.
 *
 * Nothing is ever taken out: a key and a grant hold for a stretch of the log, so that a record can
 * be judged later by what was valid at its place.
 */

import { sha256Hex } from "./bytes.ts";
import type { OperatorCommand } from "./command.ts";
import { Failure } from "./errors.ts";
import { OPERATOR_GRANTS, OPERATORS } from "./limits.ts";

export const ROLES = ["admin", "deployer", "viewer", "exec"] as const;
export type Role = (typeof ROLES)[number];

/** A stretch of the log: after `from`, up to and with `to`. */
interface Stretch {
  readonly from: number;
  readonly to?: number;
}

/** One key of an operator. */
export interface OperatorKey extends Stretch {
  readonly name: string;
  /** Fingerprint: hex SHA-256 of the raw public key. */
  readonly key: string;
  /** Raw, in base64. */
  readonly publicKey: string;
}

/** What an operator may do, and where. */
export interface Grant extends Stretch {
  readonly name: string;
  readonly role: Role;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly apps: readonly string[];
  /** Unix seconds of its end. */
  readonly untilS?: number;
}

/** Where a command acts; what is absent it acts on as a whole. */
export interface Reach {
  readonly namespace?: string;
  readonly app?: string;
}

export type RosterCommand = Extract<
  OperatorCommand,
  { verb: "OPERATOR" | "GRANT" | "UNGRANT" | "ROTATE" | "REVOKE" }
>;

const ROSTER_VERBS: readonly string[] = ["OPERATOR", "GRANT", "UNGRANT", "ROTATE", "REVOKE"];

/** Says whether a command changes the roster. */
export function changesRoster(
  command: OperatorCommand | { readonly error: string },
): command is RosterCommand {
  return "verb" in command && ROSTER_VERBS.includes(command.verb);
}

/** The roster as data, for snapshots. */
export interface RosterData {
  readonly keys: readonly OperatorKey[];
  readonly grants: readonly Grant[];
  /** Sequences of the commands that made it. */
  readonly changes: readonly number[];
}

/** A key that a daemon was given when it was started. */
export interface Root {
  readonly key: string;
  readonly publicKey: Uint8Array;
}

export class Roster {
  #keys: OperatorKey[] = [];
  #grants: Grant[] = [];
  #changes: number[] = [];
  #isOpen = true;

  /** Started with `--insecure`: whoever signs, or signs not, is an admin. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Another number after each change. */
  get version(): number {
    return this.#changes.length * OPERATORS + this.#keys.length;
  }

  /** All of it as text, the same for the same roster whatever the order of its roots. */
  describe(): string {
    const sorted = (items: readonly object[]) => items.map((each) => JSON.stringify(each)).sort();
    return JSON.stringify([sorted(this.#keys), sorted(this.#grants), this.#changes]);
  }

  get changes(): readonly number[] {
    return this.#changes;
  }

  /**
   * A key from the daemon's own command line: an admin from the log's beginning, until a signed
   * command says otherwise.
   */
  addRoot({ key, publicKey }: Root): void {
    this.#isOpen = false;
    if (this.#keys.some((each) => each.key === key)) return;
    const name = rootName(key);
    this.#keys.push({ name, key, publicKey: publicKey.toBase64(), from: 0 });
    this.#grants.push({ name, role: "admin", namespaces: [], apps: [], from: 0 });
  }

  /** The keys that were valid at this place of the log. */
  keysAt(sequence: number): OperatorKey[] {
    return this.#keys.filter((each) => covers(each, sequence));
  }

  /** The keys that are nobody's any more. */
  retiredKeys(): OperatorKey[] {
    const valid = new Set(this.keysAt(Infinity).map((each) => each.key));
    return this.#keys.filter((each) => !valid.has(each.key));
  }

  /** Whose key this is at that place. */
  nameAt(sequence: number, key: string): string | undefined {
    return this.#keys.find((each) => each.key === key && covers(each, sequence))?.name;
  }

  /** The name that this key ever belonged to, for people. */
  nameOf(key: string): string | undefined {
    return this.#keys.findLast((each) => each.key === key)?.name;
  }

  grantsAt(sequence: number, name: string): Grant[] {
    return this.#grants.filter((each) => each.name === name && covers(each, sequence));
  }

  /** Every operator that has a key at that place. */
  namesAt(sequence: number): string[] {
    return [...new Set(this.keysAt(sequence).map((each) => each.name))].sort();
  }

  /**
   * Why this key may not do what needs the role, there, at that place of the log and time; `null`
   * where it may.
   *
   * @param reach `null`: whether it may do so anywhere at all
   */
  whyNot(
    sequence: number,
    key: string,
    needed: Role,
    reach: Reach | null,
    unixS: number,
  ): string | null {
    if (this.#isOpen) return null;
    const name = this.nameAt(sequence, key);
    if (name === undefined) return `its key ${key.slice(0, 12)} is no operator's (any more)`;
    let why = `${name} has no grant`;
    for (const grant of this.grantsAt(sequence, name)) {
      const wrong = whyNotBy(grant, needed, reach, unixS);
      if (wrong === null) return null;
      why = `${name} ${wrong}`;
    }
    return why;
  }

  /** Why the roster cannot be changed so; `null` where it can. */
  whyNotChange(sequence: number, command: RosterCommand): string | null {
    switch (command.verb) {
      case "OPERATOR": {
        const wrong = whyNoGrant(command) ?? this.#whyNoKey(command.publicKey);
        if (wrong !== null) return wrong;
        if (this.#keys.some((each) => each.name === command.name)) {
          return `the name ${command.name} is or was taken`;
        }
        return this.#keys.length >= OPERATORS ? `there are ${OPERATORS} keys already` : null;
      }
      case "GRANT":
        if (!this.#has(sequence, command.name)) return `no operator is named ${command.name}`;
        if (this.grantsAt(sequence, command.name).length >= OPERATOR_GRANTS) {
          return `${command.name} has ${OPERATOR_GRANTS} grants already`;
        }
        return whyNoGrant(command);
      case "UNGRANT": {
        const from = Number(command.grant);
        const grants = this.grantsAt(sequence, command.name);
        if (!grants.some((each) => each.from === from)) {
          return `${command.name} has no grant ${command.grant}`;
        }
        return this.#whyLast(sequence, (each) => each.name === command.name && each.from === from);
      }
      case "ROTATE":
        if (!this.#has(sequence, command.name)) return `no operator is named ${command.name}`;
        if (this.#keys.length >= OPERATORS) return `there are ${OPERATORS} keys already`;
        return this.#whyNoKey(command.publicKey);
      case "REVOKE":
        if (!this.#has(sequence, command.name)) return `no operator is named ${command.name}`;
        return this.#whyLast(sequence, (each) => each.name === command.name);
      default:
        return command satisfies never;
    }
  }

  /** Takes in a command that stands in the log at this place. */
  apply(sequence: number, command: RosterCommand): void {
    if (this.#isOpen || this.whyNotChange(sequence, command) !== null) return;
    this.#changes.push(sequence);
    const from = sequence;
    switch (command.verb) {
      case "OPERATOR":
        this.#keys.push(keyOf(command.name, command.publicKey, from));
        this.#grants.push(grantOf(command, from));
        return;
      case "GRANT":
        this.#grants.push(grantOf(command, from));
        return;
      case "UNGRANT":
        this.#endGrants(
          from,
          (each) => each.name === command.name && each.from === Number(command.grant),
        );
        return;
      case "ROTATE":
        this.#endKeys(from, command.name);
        this.#keys.push(keyOf(command.name, command.publicKey, from));
        return;
      case "REVOKE":
        this.#endKeys(from, command.name);
        this.#endGrants(from, (each) => each.name === command.name);
        return;
      default:
        command satisfies never;
    }
  }

  #has(sequence: number, name: string): boolean {
    return this.#keys.some((each) => each.name === name && covers(each, sequence));
  }

  #whyNoKey(publicKey: string): string | null {
    const key = fingerprintOf(publicKey);
    if (key === null) return "the public key is not 1952 bytes of base64";
    const known = this.#keys.find((each) => each.key === key);
    return known ? `this key is or was ${known.name}'s` : null;
  }

  /** Somebody must be left who is an admin everywhere and without end. */
  #whyLast(sequence: number, goes: (grant: Grant) => boolean): string | null {
    const left = this.#grants.some((each) =>
      each.role === "admin" && each.untilS === undefined && covers(each, sequence) &&
      this.#has(sequence, each.name) && !goes(each)
    );
    return left ? null : "the last admin cannot be removed: add another first";
  }

  #endKeys(to: number, name: string): void {
    this.#keys = this.#keys.map((each) =>
      each.name === name && each.to === undefined ? { ...each, to } : each
    );
  }

  #endGrants(to: number, goes: (grant: Grant) => boolean): void {
    this.#grants = this.#grants.map((each) =>
      each.to === undefined && goes(each) ? { ...each, to } : each
    );
  }

  save(): RosterData {
    return { keys: this.#keys, grants: this.#grants, changes: this.#changes };
  }

  static load(data: RosterData | undefined): Roster {
    const roster = new Roster();
    if (!data) return roster;
    roster.#keys = [...data.keys];
    roster.#grants = [...data.grants];
    roster.#changes = [...data.changes];
    roster.#isOpen = data.keys.length === 0;
    return roster;
  }
}

/** What a root is called in the roster: the same on every daemon that has its key. */
export function rootName(key: string): string {
  return `root-${key.slice(0, 12)}`;
}

/** The fingerprint of a public key in base64; `null` where it is none. */
export function fingerprintOf(publicKey: string): string | null {
  try {
    const bytes = Uint8Array.fromBase64(publicKey);
    return bytes.length === 1_952 ? sha256Hex(bytes) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function keyOf(name: string, publicKey: string, from: number): OperatorKey {
  const key = fingerprintOf(publicKey);
  if (key === null) throw new Failure("bad-key", `the key of ${name} is no public key`);
  return { name, key, publicKey, from };
}

type Granting = Extract<RosterCommand, { verb: "OPERATOR" | "GRANT" }>;

function grantOf({ name, role, namespaces, apps, until }: Granting, from: number): Grant {
  return {
    name,
    role: role as Role,
    namespaces: namesOf(namespaces),
    apps: namesOf(apps),
    ...(until === "-" ? {} : { untilS: Number(until) }),
    from,
  };
}

function namesOf(text: string): string[] {
  return text === "*" ? [] : text.split(",");
}

/** An admin can give everything to anybody, so a bounded one would be bounded in name only. */
function whyNoGrant({ role, namespaces, apps }: Granting): string | null {
  if (role !== "admin" || (namespaces === "*" && apps === "*")) return null;
  return "an admin cannot be bounded to namespaces or apps";
}

function covers({ from, to }: Stretch, sequence: number): boolean {
  return from < sequence && (to === undefined || sequence <= to);
}

function whyNotBy(
  grant: Grant,
  needed: Role,
  reach: Reach | null,
  unixS: number,
): string | null {
  const { role, namespaces, apps, untilS } = grant;
  if (untilS !== undefined && unixS > untilS) return `was ${role} until ${untilS} (unix seconds)`;
  if (role !== "admin" && needed !== "viewer" && role !== needed) {
    return `is ${role}, and this needs ${needed}`;
  }
  // Who may look may look at everything: what is where is one picture.
  if (needed === "viewer" || reach === null) return null;
  if (namespaces.length > 0 && !namespaces.includes(reach.namespace ?? "")) {
    return `is ${role} only in the namespace ${namespaces.join(", ")}`;
  }
  if (apps.length > 0 && !apps.includes(reach.app ?? "")) {
    return `is ${role} only of ${apps.join(", ")}`;
  }
  return null;
}
