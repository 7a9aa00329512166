// How a daemon comes into a cluster: the token that it was given, and what the conductor answers.

import { type Address, CONDUCTOR_PORT, readAddresses } from "../address.ts";
import { sha256Hex } from "../bytes.ts";
import { Failure } from "../errors.ts";
import { RETRY_MAX_MS } from "../limits.ts";
import {
  certificateText,
  isToken,
  type JoinRequest,
  type JoinRole,
  type JoinToken,
  type Member,
  type Membership,
  parseMembership,
  parseTerms,
  parseToken,
  staticKeyBytes,
} from "../seal/member.ts";
import { createVerifier } from "./crypto.ts";
import { logger } from "./log.ts";
import { dialSealed } from "./sealed_channel.ts";
import { sealedFetch } from "./sealed_http.ts";
import type { SealKeys } from "./seal_keys.ts";
import { sealUrl } from "./seal_url.ts";

/** How a daemon comes in. */
export interface JoinOptions {
  /** The state folder: identity and membership are kept there. */
  readonly state: string;
  readonly role: JoinRole;
  readonly name: string;
  /** Of a node: its id. */
  readonly node?: string;
  /** A token, or a file that holds one. */
  readonly join?: string;
  /** The conductor's TCP port, where it is not the one of the token. */
  readonly conductor?: Address;
  /** Those of further conductors: whoever answers is followed. */
  readonly moreConductors?: readonly Address[];
}

/** Reads what `--join` was given. @throws {Failure} `bad-token`. */
export async function readToken(join: string): Promise<JoinToken> {
  let word = join;
  if (!isToken(join)) {
    try {
      word = await Deno.readTextFile(join);
    } catch (error) {
      throw new Failure("bad-token", `cannot read the token ${join}: ${(error as Error).message}`);
    }
  }
  const token = parseToken(word);
  const terms = token && parseTerms(token.text);
  const key = token && staticKeyBytes(token.conductor.staticKey);
  if (!token || !terms || !key) throw new Failure("bad-token", "what --join was given is no token");
  const identityKey = Uint8Array.fromBase64(token.conductor.identityKey);
  const verifier = await createVerifier();
  const genuine = terms.staticHash === sha256Hex(key) &&
    terms.conductor === sha256Hex(identityKey) &&
    await verifier.verify(
      Uint8Array.fromBase64(token.operator),
      token.text,
      token.signature,
    ) &&
    await verifier.verify(identityKey, certificateText(key), token.conductor.certificate);
  if (!genuine) throw new Failure("bad-token", "the token was altered: it is not what was signed");
  return token;
}

/** What `--conductor HOST:PORT,...` of a daemon that joins says. @throws {Failure} `usage`. */
export function joinsAt(
  text: string | undefined,
): Pick<JoinOptions, "conductor" | "moreConductors"> {
  if (text === undefined) return {};
  const [conductor, ...moreConductors] = readAddresses(text, "conductor", CONDUCTOR_PORT);
  return { conductor: conductor!, moreConductors };
}

/** Where conductors are that may let a daemon in: as it was told, else as its token has it. */
export function conductorsOf(
  { conductor, moreConductors = [] }: JoinOptions,
  told: string,
): readonly Address[] {
  return [conductor ?? addressOf(told), ...moreConductors];
}

function addressOf(text: string): Address {
  const cut = text.lastIndexOf(":");
  return {
    hostname: text.slice(0, cut).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(cut + 1)),
  };
}

/**
 * Comes into the cluster by a token, and waits for a conductor as long as it takes.
 *
 * @throws {Failure} `bad-token` for another role; `join` where the conductor refuses.
 */
export async function join(
  options: JoinOptions,
  keys: SealKeys,
  token: JoinToken,
  conductors: readonly Address[],
): Promise<Membership> {
  const terms = parseTerms(token.text)!;
  if (terms.role !== options.role) {
    throw new Failure("bad-token", `the token is for a ${terms.role}, not for a ${options.role}`);
  }
  const responder = staticKeyBytes(token.conductor.staticKey)!;
  const request: JoinRequest = {
    token: token.text,
    signature: token.signature,
    role: options.role,
    name: options.name,
    ...(options.node === undefined ? {} : { node: options.node }),
    introduction: keys.introduction,
  };
  let waitMs = 10;
  for (let told = false, tries = 0;; tries++) {
    const conductor = conductors[tries % conductors.length]!;
    const dial = () => dialSealed(sealUrl(conductor), { keys, responder });
    try {
      const body = JSON.stringify(request);
      const response = await sealedFetch(dial, "/join", { method: "POST", body });
      const answer = await response.json();
      // It stands by: another of them may let us in.
      if (response.status === 503) throw new Failure("seal", answer.error);
      if (!response.ok) throw new Failure("join", `cannot join: ${answer.error}`);
      const self: Member = {
        role: "conductor",
        name: "conductor",
        identity: terms.conductor,
        staticKey: token.conductor.staticKey,
      };
      const membership = parseMembership(JSON.stringify({
        token: terms.id,
        conductor: self,
        operator: token.operator,
        head: terms.head,
        anchor: terms.anchor,
        leadsS: Number(token.text.slice(token.text.lastIndexOf("|") + 1)),
        proof: answer.admission &&
          { token: token.text, signature: token.signature, admission: answer.admission },
        address: token.address,
        members: answer.members,
      }));
      if (membership) return membership;
      throw new Failure("join", "the conductor's answer cannot be read");
    } catch (error) {
      if (!(error instanceof Failure) || error.code === "join") throw error;
      if (!told && waitMs > 1_000) {
        told = true;
        const { hostname, port } = conductor;
        logger("seal").warn("waits for the conductor at {hostname}:{port}", { hostname, port });
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = Math.min(RETRY_MAX_MS, waitMs * 2);
    }
  }
}
