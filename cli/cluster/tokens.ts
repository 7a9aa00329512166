// A local cluster's daemons are admitted by tokens, too: made here, since the operator's key is.

import { openSealKeys } from "../../core/live/seal_keys.ts";
import { membershipPath, readMembership } from "../../core/live/member_seal.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import type { JoinRole } from "../../core/seal/member.ts";
import { openSigner } from "../keys.ts";
import { showAddress } from "../target.ts";
import { makeToken } from "../token.ts";
import { nodeState, tokenPath } from "./daemons.ts";
import type { Layout } from "./layout.ts";
import type { ClusterKeys } from "./prepare.ts";

/** They are used within a second. */
const TTL_S = 3_600;

/**
 * Sees to it that every daemon of the cluster has a token that it can join with, or has joined. The
 * conductor's identity is made here at the first start, so that all may start at once.
 */
export async function prepareTokens(
  state: string,
  layout: Pick<Layout, "conductor" | "nodes">,
  keys: ClusterKeys,
): Promise<void> {
  const conductor = await openSealKeys(nodeState({ state }, "conductor"), "conductor");
  const daemons: readonly (readonly [string, JoinRole])[] = [
    ["tower", "tower"],
    ["ingress", "ingress"],
    ...layout.nodes.map(({ name }) => [name, "node"] as const),
  ];
  const wanting: (readonly [string, JoinRole])[] = [];
  for (const [name, role] of daemons) {
    const known = await readMembership(membershipPath(nodeState({ state }, name), role));
    if (known?.conductor.identity !== conductor.identity) wanting.push([name, role]);
  }
  if (wanting.length === 0) return;
  const [signer, publicKey] = await Promise.all([
    openSigner(keys.secret),
    Deno.readFile(keys.public),
  ]);
  await Promise.all(wanting.map(async ([name, role]) => {
    const folder = nodeState({ state }, name);
    const token = await makeToken({
      role,
      ttlS: TTL_S,
      conductor: conductor.introduction,
      address: showAddress(layout.conductor),
      // The log may be longer, where only this daemon is new: then it is shown more than this.
      head: EMPTY_HEAD,
      publicKey,
      signer,
      wallMs: Date.now(),
    });
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(tokenPath(folder), `${token}\n`, { mode: 0o600 });
  }));
}
