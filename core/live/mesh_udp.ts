// The socket that a daemon speaks to the others by: sealed where it has a seal, else plain.

import type { Address } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import { decodeMesh } from "../mesh.ts";
import { peerOfMember, staticKeyBytes } from "../seal/member.ts";
import type { Role } from "../seal/primitives.ts";
import type { Seal } from "./member_seal.ts";
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
  const introduce = () => {
    for (const { address, role } of contacts) {
      const member = seal.membersOf(role).at(-1);
      const staticKey = member && staticKeyBytes(member.staticKey);
      udp.contact(address, staticKey ? { staticKey, peer: peerOfMember(member) } : null);
    }
  };
  introduce();
  seal.onChange((forgotten) => {
    if (forgotten !== null) udp.forget(forgotten);
    introduce();
  });
  return {
    ...udp,
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
