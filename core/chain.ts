/**
 * The chain of the log's signed commands. The conductor's log holds decisions, too, which nodes do
 * not keep; so the commands have a chain of their own, which a node can follow and compare: a
 * command that is changed, left out or put elsewhere gives another end.
 */

import { sha256Hex } from "./bytes.ts";

/** A signed command at its place in the log. */
export interface ChainedCommand {
  readonly sequence: number;
  /** `<command>|<unix seconds>`. */
  readonly text: string;
  readonly signatureHex: string;
  /** Fingerprint of the operator's key. */
  readonly key: string;
  /** What a v1 command found at its path. */
  readonly manifest?: string | undefined;
}

/** Where the chain of a log ended when somebody trusted looked (a join token). */
export interface Anchor {
  /** The log's name. */
  readonly log: string;
  /** Of the last signed command; 0 for none. */
  readonly sequence: number;
  /** The chain's end there. */
  readonly chain: string;
}

/** Where the chain of this log begins. */
export function genesisOf(log: string): string {
  return sha256Hex(`skr8tr log ${log}`);
}

/** The chain's end after this command, hex SHA-256. */
export function linkOf(previous: string, command: ChainedCommand): string {
  const { sequence, text, signatureHex, key, manifest = "" } = command;
  return sha256Hex(JSON.stringify([previous, sequence, text, signatureHex, key, manifest]));
}
