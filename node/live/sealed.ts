// A node's way into the sealed mesh, and how it asks for artifacts there.

import { type Address, NODE_PORT, readAddress, showAddress } from "../../core/address.ts";
import { MemberSeal } from "../../core/live/member_seal.ts";
import type { ArtifactsOptions } from "./artifacts.ts";
import { meshName, type StartOptions } from "./start_options.ts";

/** Comes into the cluster, or back into it. */
export async function openSeal(
  { seal, state, follow, moreFollow = [] }: StartOptions,
  node: string,
  hostName: string,
): Promise<MemberSeal | undefined> {
  return seal && await MemberSeal.open({
    state,
    role: "node",
    name: meshName(hostName),
    node,
    ...(seal.join === undefined ? {} : { join: seal.join }),
    ...(follow === null ? {} : { conductor: follow }),
    moreConductors: moreFollow,
  });
}

/** How artifacts are asked for in the sealed mesh: of the conductor, or of another node. */
export function askSealed(
  seal: MemberSeal,
  conductors: readonly Address[],
): ArtifactsOptions["ask"] {
  return async (source, path, init) => {
    const conductor = conductors.find((each) => source === showAddress(each));
    if (conductor) return await seal.fetch(conductor, { role: "conductor" }, path, init);
    const member = await seal.lookUp({ at: source });
    if (!member) throw new Error(`no member is known to be at ${source}`);
    return await seal.fetch(
      readAddress(source, "source", NODE_PORT),
      { identity: member.identity },
      path,
      init,
    );
  };
}
