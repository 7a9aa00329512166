// The conductor's seal: its roster is its own state.

import type { Address } from "../../core/address.ts";
import { RosterSeal, type Seal } from "../../core/live/roster_seal.ts";
import type { MessageSocket, SealedInit } from "../../core/live/sealed_http.ts";
import type { Member } from "../../core/seal/member.ts";
import type { Peer, Role } from "../../core/seal/primitives.ts";
import type { MemberDesk } from "./members.ts";
import type { Members } from "../trust/members.ts";

export class ConductorSeal extends RosterSeal {
  readonly keys: MemberDesk["keys"];
  readonly #listeners = new Set<(forgotten: string | null) => void>();

  constructor(private readonly desk: MemberDesk, private readonly members: () => Members) {
    super();
    this.keys = desk.keys;
  }

  membersOf(role: Role): readonly Member[] {
    if (role === "conductor") return [this.desk.self];
    return [...this.members().all()].filter((member) => member.role === role);
  }

  admitMember(staticKey: Uint8Array): Peer | null {
    return this.desk.member(staticKey);
  }

  override admit(staticKey: Uint8Array, payload: Uint8Array): Promise<Peer | null> {
    return this.desk.admit(staticKey, payload);
  }

  onChange(listener: (forgotten: string | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A daemon was forgotten, or (`null`) one has come in. */
  changed(forgotten: string | null): void {
    for (const listener of this.#listeners) listener(forgotten);
  }

  protected memberOf(identity: string): Member | undefined {
    return this.members().get(identity);
  }
}

/** Asks a node over TCP: sealed where it has proved itself, else plainly. */
export function askNode(
  seal: Seal | undefined,
  node: Address,
  path: string,
  init: SealedInit = {},
): Promise<Response> {
  if (seal && node.peer) {
    return seal.fetch(node, { identity: node.peer.identity }, path, init);
  }
  return fetch(`http://${authorityOf(node)}${path}`, init as RequestInit);
}

/** Opens a stream of messages with a node, as `askNode` asks it. */
export function dialNode(seal: Seal | undefined, node: Address, path: string): MessageSocket {
  return seal && node.peer
    ? seal.socket(node, { identity: node.peer.identity }, path)
    : new WebSocket(`ws://${authorityOf(node)}${path}`);
}

function authorityOf({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
