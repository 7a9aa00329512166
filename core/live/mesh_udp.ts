// The socket that a daemon speaks to the others by: sealed where it has a seal, else plain.

import { type Address, showAddress } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import { decodeMesh } from "../mesh.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../limits.ts";
import { type Member, peerOfMember, staticKeyBytes } from "../seal/member.ts";
import type { Role } from "../seal/primitives.ts";
import type { Seal } from "./roster_seal.ts";
import { openSealedUdp } from "./sealed_udp.ts";
import type { SealMachine } from "../seal/machine.ts";
import { openUdp, type Udp } from "./udp.ts";

export interface MeshUdp extends Udp {
  /** Absent where the mesh is open. */
  readonly machine?: SealMachine;
}

/**
 * Opens the socket.
 *
 * @param contacts where the daemon finds whom it speaks to first
 * @throws {Failure} as `openUdp`.
 */
export function openMeshUdp(
  options: Address & { receive(text: string, from: Address): void },
  seal: Seal | undefined,
  contacts: readonly { readonly address: Address; readonly role: Role }[] = [],
): MeshUdp {
  if (!seal) return openUdp(options);
  const { hostname, port, receive } = options;
  const udp = openSealedUdp({
    hostname,
    port,
    receive,
    keys: seal.keys,
    admit: (staticKey) => seal.admitMember(staticKey),
    stranger: (staticKey) => void seal.lookUp?.({ key: sha256Hex(staticKey) }),
  });
  const contact = (address: Address, member: Member | undefined) => {
    const staticKey = member && staticKeyBytes(member.staticKey);
    udp.contact(address, staticKey ? { staticKey, peer: peerOfMember(member) } : null);
  };
  const introduce = () => {
    for (const { address, role } of contacts) {
      const all = seal.membersOf(role);
      if (all.length < 2) contact(address, all[0]);
      else void find(address, role);
    }
  };
  /** Of several members of a role the one at the address is looked for until it answers. */
  const looking = new Set<string>();
  const find = async (address: Address, role: Role) => {
    const place = showAddress(address);
    if (looking.has(place)) return;
    looking.add(place);
    for (let waitMs = RETRY_MIN_MS; !closed; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
      const member = await seal.memberAt(address, role);
      if (closed) return;
      if (member) {
        looking.delete(place);
        return contact(address, member);
      }
      await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, waitMs)));
    }
  };
  let closed = false;
  introduce();
  seal.onChange((forgotten) => {
    if (forgotten !== null) udp.forget(forgotten);
    introduce();
  });
  return {
    ...udp,
    async [Symbol.asyncDispose]() {
      closed = true;
      await udp[Symbol.asyncDispose]();
    },
    send(text, to) {
      // Whom the conductor wants to be asked is known by its id only; who answers there must be it.
      const node = to.peer || !seal.lookUp || udp.knows(to) ? null : probedNode(text);
      if (node === null) return udp.send(text, to);
      seal.lookUp!({ node }).then((member) => {
        const staticKey = member && staticKeyBytes(member.staticKey);
        if (!staticKey) return;
        udp.contact(to, { staticKey, peer: peerOfMember(member) });
        udp.send(text, to);
      });
    },
  };
}

/** The node that a probe is for; `null` for every other message. */
function probedNode(text: string): string | null {
  const message = text.startsWith('{"k":"probe"') ? decodeMesh(text) : null;
  return message?.k === "probe" ? message.node : null;
}
