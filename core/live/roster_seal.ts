// How a daemon talks to whoever is in its roster: requests and streams, sealed.

import { type Address, showAddress } from "../address.ts";
import { Failure } from "../errors.ts";
import { type Member, staticKeyBytes } from "../seal/member.ts";
import type { Peer, Role } from "../seal/primitives.ts";
import { type Channel, dialSealed } from "./sealed_channel.ts";
import {
  type Dial,
  type MessageSocket,
  sealedFetch,
  type SealedInit,
  type SealedServer,
  sealedSocket,
} from "./sealed_http.ts";
import type { SealKeys } from "./seal_keys.ts";
import { sealUrl } from "./seal_url.ts";

/** Whom a daemon talks to through its seal, besides answering. */
export interface Seal extends SealedServer {
  readonly keys: SealKeys;
  /** Members by role, the newest last. */
  membersOf(role: Role): readonly Member[];
  admitMember(staticKey: Uint8Array): Peer | null;
  /**
   * Which member of this role is at the address: where there are several, it is found out by
   * talking to them. Nothing where nobody answers.
   */
  memberAt(at: Address, role: Role): Promise<Member | undefined>;
  /** Hears of every change of the roster; the function that comes back ends that. */
  onChange(listener: (forgotten: string | null) => void): () => void;
  /** Asks the conductor for a member that is not in the roster that it sends. */
  lookUp?(wanted: Lookup): Promise<Member | null>;
  fetch(at: Address, who: MemberWanted, path: string, init?: SealedInit): Promise<Response>;
  socket(at: Address, who: MemberWanted, path: string): MessageSocket;
}

/**
 * How a member is looked for: by its node id, by the hash of its static key, or by the `HOST:PORT`
 * at which a node says that it is reached.
 */
export type Lookup = { readonly node: string } | { readonly key: string } | { readonly at: string };

/** Who must be at the other end: a role, or one identity. */
export type MemberWanted = { readonly role: Role } | { readonly identity: string };

/** How long whoever dials waits for the other side to join, ms. */
const JOIN_WAIT_MS = 2_000;

/** Requests and streams to whoever is in a roster. */
export abstract class RosterSeal implements Seal {
  abstract readonly keys: SealKeys;
  abstract membersOf(role: Role): readonly Member[];
  abstract admitMember(staticKey: Uint8Array): Peer | null;
  abstract onChange(listener: (forgotten: string | null) => void): () => void;
  protected abstract memberOf(identity: string): Member | undefined;

  admit(staticKey: Uint8Array, _payload: Uint8Array): Peer | null | Promise<Peer | null> {
    return this.admitMember(staticKey);
  }

  fetch(at: Address, who: MemberWanted, path: string, init?: SealedInit): Promise<Response> {
    return sealedFetch(this.#dial(at, who), path, init);
  }

  socket(at: Address, who: MemberWanted, path: string): MessageSocket {
    return sealedSocket(this.#dial(at, who), path);
  }

  /** Address -> the identity that was found there, of several of one role. */
  readonly #places = new Map<string, string>();

  async memberAt(at: Address, role: Role): Promise<Member | undefined> {
    const all = this.membersOf(role);
    if (all.length < 2) return all[0];
    const place = showAddress(at);
    const known = all.find(({ identity }) => identity === this.#places.get(place));
    if (known) return known;
    for (const member of all.toReversed()) {
      const responder = staticKeyBytes(member.staticKey);
      if (!responder) continue;
      try {
        (await this.#dialMember(at, responder)).close();
      } catch (error) {
        if (error instanceof Failure) continue;
        throw error;
      }
      this.#places.set(place, member.identity);
      return member;
    }
    return undefined;
  }

  #dialMember(at: Address, responder: Uint8Array): Promise<Channel> {
    return dialSealed(sealUrl(at), { keys: this.keys, responder, connectFirst: true });
  }

  #dial(at: Address, who: MemberWanted): Dial {
    return async () => {
      const find = () =>
        "role" in who ? this.membersOf(who.role).at(-1) : this.memberOf(who.identity);
      const there = "role" in who ? await this.memberAt(at, who.role) : undefined;
      const member = there ?? find() ?? await this.#joined(find);
      const responder = member && staticKeyBytes(member.staticKey);
      if (!responder) {
        const what = "role" in who ? who.role : `identity ${who.identity.slice(0, 12)}`;
        throw new Failure("seal", `no ${what} has joined yet`);
      }
      try {
        return await this.#dialMember(at, responder);
      } catch (error) {
        // Another may be there by now.
        this.#places.delete(showAddress(at));
        throw error;
      }
    };
  }

  /** Waits a while for somebody who may be about to join. */
  async #joined(find: () => Member | undefined): Promise<Member | undefined> {
    const changed = Promise.withResolvers<void>();
    const end = this.onChange(() => find() && changed.resolve());
    const timer = setTimeout(changed.resolve, JOIN_WAIT_MS);
    Deno.unrefTimer(timer);
    await changed.promise;
    clearTimeout(timer);
    end();
    return find();
  }
}
