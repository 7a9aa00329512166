import { type Address, showAddress } from "../address.ts";
import type { Seal } from "./roster_seal.ts";

/** Begins a watch stream to a tower, sealed where there is a seal. */
export function watchSocket(tower: Address, seal?: Seal): WebSocket {
  return seal?.socket(tower, { role: "tower" }, "/watch") ??
    new WebSocket(`ws://${showAddress(tower)}/watch`);
}
