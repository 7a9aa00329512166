/**
 * How the daemons of a conductor that is lost come to the one that takes its place: an admin's signed
 * command names it, and each daemon shows how the old one let it in.
 */

import { parseOperatorCommand } from "../command.ts";

/** What a SUCCEED command says. */
export interface Succession {
  /** The log that is led from now on by */
  readonly log: string;
  /** this identity, */
  readonly identity: string;
  /** with a static key of this hash. */
  readonly staticHash: string;
  /** When it was signed: of two the later one counts. */
  readonly unixS: number;
}

/** Reads the signed text of a SUCCEED command; `null` for every other. */
export function parseSuccession(text: string): Succession | null {
  const cut = text.lastIndexOf("|");
  const command = parseOperatorCommand(text.slice(0, cut));
  const unixS = Number(text.slice(cut + 1));
  if (!("verb" in command) || command.verb !== "SUCCEED" || !Number.isSafeInteger(unixS)) {
    return null;
  }
  const { log, identity, hash } = command;
  return { log, identity, staticHash: hash, unixS };
}

/** A daemon, as it was let in. */
export interface Admitted {
  /** Id of the token that it came with. */
  readonly token: string;
  readonly identity: string;
  readonly role: string;
  readonly name: string;
  /** Of a node: its id. */
  readonly node?: string;
  /** When, unix seconds. */
  readonly atS: number;
}

/** What a conductor's identity signs about a daemon that it lets in. */
export function admissionText({ token, identity, role, name, node = "-", atS }: Admitted): string {
  return `skr8tr admission|${token}|${identity}|${role}|${name}|${node}|${atS}`;
}
