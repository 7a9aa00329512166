// The sockets of a node: its own port, and one for each further conductor.

import { type Address, showAddress } from "../../core/address.ts";
import type { MemberSeal } from "../../core/live/member_seal.ts";
import { type MeshUdp, openMeshUdp } from "../../core/live/mesh_udp.ts";
import type { Udp } from "../../core/live/udp.ts";
import { serveHttp } from "./http.ts";
import type { StartOptions } from "./start_options.ts";

type Handler = (request: Request, from: string) => Promise<Response>;

/**
 * Opens the node's UDP and TCP port, which are one number: where any will do (0), one at which both
 * are free.
 */
export function openPorts(
  { bind: hostname, port, conductor, tower, moreTowers = [] }: StartOptions,
  seal: MemberSeal | undefined,
  receive: (text: string, from: Address) => void,
  handler: Handler,
): { readonly udp: MeshUdp; readonly server: AsyncDisposable } {
  for (let tries = 1;; tries++) {
    const contacts = [
      ...(conductor ? [{ address: conductor, role: "conductor" } as const] : []),
      ...(tower ? [tower, ...moreTowers] : []).map((
        address,
      ) => ({ address, role: "tower" } as const)),
    ];
    const udp = openMeshUdp({ hostname, port, receive }, seal, contacts);
    try {
      return { udp, server: serveHttp({ hostname, port: udp.address.port }, handler) };
    } catch (error) {
      udp[Symbol.asyncDispose]();
      if (port !== 0 || tries === 20) throw error;
    }
  }
}

/**
 * All conductors of a cluster hold one identity, and a seal keeps one session with an identity: so
 * each further one is spoken to by a socket, and a seal, of its own.
 */
export function openConductorSockets(
  { bind: hostname, moreConductors = [] }: StartOptions,
  seal: MemberSeal | undefined,
  receive: (text: string, from: Address) => void,
): ReadonlyMap<string, Udp> {
  return new Map(moreConductors.map((address) => [
    showAddress(address),
    openMeshUdp({ hostname, port: 0, receive }, seal, [{ address, role: "conductor" }]),
  ]));
}
