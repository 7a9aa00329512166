/** Who may say what to whom in the sealed mesh: a session proves who speaks, this is what they may. */

import type { MeshKind, MeshMessage } from "../mesh.ts";
import type { Peer, Role } from "./primitives.ts";

/** The roles that each message comes from. */
const SPEAKERS: { readonly [K in MeshKind]: readonly Role[] } = {
  beat: ["node"],
  status: ["node"],
  report: ["node"],
  "run-ok": ["node"],
  "run-refused": ["node"],
  "stop-ok": ["node"],
  prepared: ["node"],
  "probe-result": ["node"],
  wishes: ["node"],
  "probe-please": ["conductor"],
  "beat-ok": ["conductor"],
  "status-ok": ["conductor"],
  run: ["conductor"],
  prepare: ["conductor"],
  stop: ["conductor"],
  probe: ["conductor", "node"],
  "probe-ok": ["node"],
  lease: ["node"],
  register: ["node"],
  deregister: ["node"],
  "lease-ok": ["tower"],
  "register-ok": ["tower"],
  "deregister-ok": ["tower"],
  "wake-app": ["tower"],
};

/**
 * Says whether this peer may say this: its role is one that does, and a node speaks of itself only,
 * of its replicas under its own name.
 *
 * @param peer absent where the mesh is open: then everybody is believed
 */
export function maySay(peer: Peer | undefined, message: MeshMessage): boolean {
  if (peer === undefined) return true;
  if (!SPEAKERS[message.k].includes(peer.role)) return false;
  // In a probe the node is whom it is for.
  if (peer.role !== "node" || message.k === "probe") return true;
  return (message.k === "probe-ok" ? message.by : message.node) === peer.node;
}
