// The file in which a daemon keeps what it knows of its cluster.

import { Failure } from "../errors.ts";
import { type JoinRole, type Membership, parseMembership } from "../seal/member.ts";
import { randomHex } from "./clock.ts";

/** Where a daemon keeps what it knows of its cluster. */
export function membershipPath(state: string, role: JoinRole): string {
  return `${state}/${role}.membership.json`;
}

/** @throws {Failure} `bad-membership` */
export async function readMembership(path: string): Promise<Membership | null> {
  try {
    const membership = parseMembership(await Deno.readTextFile(path));
    if (membership) return membership;
    throw new Failure("bad-membership", `${path} is damaged: remove it and join anew`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

let writes = Promise.resolve();

/** Writes one after another, each whole or not at all. */
export function writeMembership(path: string, membership: Membership): Promise<void> {
  const json = `${JSON.stringify(membership)}\n`;
  writes = writes.catch(() => {}).then(async () => {
    // Threads of one daemon may write at one time.
    const made = `${path}.${randomHex(8)}`;
    await Deno.writeTextFile(made, json, { mode: 0o600 });
    await Deno.rename(made, path);
  });
  return writes;
}
