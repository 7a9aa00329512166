/** Who may say what to whom in the sealed mesh: a session proves who speaks, this is what they may. */

import type { MeshKind, MeshMessage } from "../mesh.ts";
import type { Peer, Role } from "./primitives.ts";

/** The role that each message comes from. */
const SPEAKER: { readonly [K in MeshKind]: Role } = {
  beat: "node",
  status: "node",
  report: "node",
  "run-ok": "node",
  "run-refused": "node",
  "stop-ok": "node",
  "beat-ok": "conductor",
  "status-ok": "conductor",
  run: "conductor",
  stop: "conductor",
  lease: "node",
  register: "node",
  deregister: "node",
  "lease-ok": "tower",
  "register-ok": "tower",
  "deregister-ok": "tower",
};

/**
 * Says whether this peer may say this: its role is the one that does, and a node speaks of itself
 * only, of its replicas under its own name.
 *
 * @param peer absent where the mesh is open: then everybody is believed
 */
export function maySay(peer: Peer | undefined, message: MeshMessage): boolean {
  if (peer === undefined) return true;
  if (SPEAKER[message.k] !== peer.role) return false;
  return peer.role !== "node" || message.node === peer.node;
}
