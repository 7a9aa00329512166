// A local cluster's daemons are admitted by tokens, too: made here, since the operator's key is.

import { type Address, showAddress } from "../../core/address.ts";
import { openSealKeys } from "../../core/live/seal_keys.ts";
import { membershipPath, readMembership } from "../../core/live/membership_file.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import type { JoinRole } from "../../core/seal/member.ts";
import { openSigner } from "../keys.ts";
import { makeToken } from "../token.ts";
import { nodeState, tokenPath } from "./daemons.ts";
import type { Layout } from "./layout.ts";
import type { ClusterKeys } from "./prepare.ts";

/** They are used within a second. */
const TTL_S = 3_600;

/** A daemon that is to be admitted: its state folder and what it is. */
export type Joiner = readonly [state: string, role: JoinRole];

/** Sees to it that every daemon of the cluster has a token that it can join with, or has joined. */
export async function prepareTokens(
  state: string,
  layout: Pick<Layout, "conductor" | "nodes">,
  keys: ClusterKeys,
): Promise<void> {
  const folder = (name: string) => nodeState({ state }, name);
  await writeTokens(folder("conductor"), layout.conductor, keys, [
    [folder("tower"), "tower"],
    [folder("ingress"), "ingress"],
    ...layout.nodes.map(({ name }) => [folder(name), "node"] as const),
  ]);
}

/**
 * Writes a token for each daemon that has not joined this conductor. The conductor's identity is
 * made here at its first start, so that all may start at once.
 *
 * @returns the conductor's fingerprint: hex SHA-256 of its identity
 */
export async function writeTokens(
  conductorState: string,
  address: Address,
  keys: Pick<ClusterKeys, "secret" | "public">,
  joiners: readonly Joiner[],
): Promise<string> {
  const conductor = await openSealKeys(conductorState, "conductor");
  const wanting: Joiner[] = [];
  for (const [state, role] of joiners) {
    const known = await readMembership(membershipPath(state, role));
    if (known?.conductor.identity !== conductor.identity) wanting.push([state, role]);
  }
  if (wanting.length === 0) return conductor.identity;
  const [signer, publicKey] = await Promise.all([
    openSigner(keys.secret),
    Deno.readFile(keys.public),
  ]);
  await Promise.all(wanting.map(async ([state, role]) => {
    const token = await makeToken({
      role,
      ttlS: TTL_S,
      conductor: conductor.introduction,
      address: showAddress(address),
      // The log may be longer, where only this daemon is new: then it is shown more than this.
      head: EMPTY_HEAD,
      publicKey,
      signer,
      wallMs: Date.now(),
    });
    await Deno.mkdir(state, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(tokenPath(state), `${token}\n`, { mode: 0o600 });
  }));
  return conductor.identity;
}
