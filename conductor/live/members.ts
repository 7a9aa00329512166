// The conductor's side of the sealed mesh: who may come in, who is who, and the roster that every
// daemon follows.

import { sha256Hex } from "../../core/bytes.ts";
import { now } from "../../core/live/clock.ts";
import type { Verifier } from "../../core/live/crypto.ts";
import { logger } from "../../core/live/log.ts";
import {
  peerOf,
  type SealedServer,
  staticKeyOf,
  upgradeStream,
} from "../../core/live/sealed_http.ts";
import type { SealKeys } from "../../core/live/seal_keys.ts";
import { SEAL_PAYLOAD_BYTES } from "../../core/limits.ts";
import type { Entry } from "../../core/log.ts";
import { parseOperatorCommand } from "../../core/command.ts";
import {
  type Admission,
  certificateText,
  type Member,
  type MemberMessage,
  operatorCertificateText,
  parseJoin,
  parseTerms,
  peerOfMember,
  staticKeyBytes,
  type TokenTerms,
} from "../../core/seal/member.ts";
import { admissionText, parseSuccession } from "../../core/seal/succession.ts";
import type { Peer } from "../../core/seal/primitives.ts";
import { integer, parseShaped, struct, text } from "../../core/shape.ts";
import { whyNoReader } from "../trust/auth.ts";
import type { ConductorMachine } from "../machine.ts";
import type { PendingJoin } from "../trust/members.ts";
import { anchorOf } from "../state.ts";

/** How an operator's CLI says whose it is, in the first message of its sealed session. */
const operatorShape = struct({
  operator: text(64, /^[0-9a-f]{64}$/),
  untilS: integer(0, 2 ** 40),
  signature: text(6_618, /^[0-9a-f]{6618}$/),
});

/** Largest request to join, in characters: it has two signatures and two keys. */
const JOIN_BYTES = 65_536;

/** Certificates of operators that were found good, at most. */
const CERTIFICATES = 1_000;

export interface MemberParts {
  readonly keys: SealKeys;
  readonly machine: ConductorMachine;
  readonly verifier: Verifier;
  /** Finds the operator whose key signed this text. */
  signerOf(text: string, signatureHex: string): Promise<string | null>;
  /** Hands a verified join to the machine; resolves to its reply. */
  join(join: PendingJoin): Promise<string | null>;
  /** A daemon was forgotten, or (`null`) one has come in; the state has it in a moment. */
  changed(forgotten: string | null): void;
}

export class MemberDesk implements SealedServer {
  readonly keys: SealKeys;
  readonly self: Member;
  readonly #parts: MemberParts;
  readonly #followers = new Set<(message: MemberMessage) => void>();
  readonly #certificates = new Map<string, { readonly key: string; readonly untilS: number }>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.keys = parts.keys;
    const { identity, staticKey } = parts.keys;
    this.self = {
      role: "conductor",
      name: "conductor",
      identity,
      staticKey: staticKey.toBase64(),
    };
  }

  /** Whose static key this is: a member's, or that of an operator who says so. */
  admit = async (staticKey: Uint8Array, payload: Uint8Array): Promise<Peer | null> =>
    this.member(staticKey) ??
      (payload.length > 0 ? await this.#operator(staticKey, payload) : null);

  member(staticKey: Uint8Array): Peer | null {
    // The others of several conductors hold the same identity.
    if (staticKey.toBase64() === this.self.staticKey) return peerOfMember(this.self);
    return this.#parts.machine.state.members.peerOf(staticKey);
  }

  async #operator(staticKey: Uint8Array, payload: Uint8Array): Promise<Peer | null> {
    if (payload.length > SEAL_PAYLOAD_BYTES) return null;
    const said = parseShaped(operatorShape, new TextDecoder().decode(payload));
    if (said === null || said.untilS * 1_000 < now().wallMs) return null;
    const name = `${sha256Hex(staticKey)} ${said.operator}`;
    const known = this.#certificates.get(name);
    if (known?.untilS !== said.untilS) {
      const text = operatorCertificateText(staticKey, said.untilS);
      const key = await this.#parts.signerOf(text, said.signature);
      if (key === null || key !== said.operator) return null;
      if (this.#certificates.size >= CERTIFICATES) this.#certificates.clear();
      this.#certificates.set(name, { key, untilS: said.untilS });
    }
    const { state } = this.#parts.machine;
    return {
      role: "operator",
      name: state.roster.nameOf(said.operator) ?? said.operator.slice(0, 12),
      identity: said.operator,
    };
  }

  /** Says whether whoever sealed this request may read what the conductor shows. */
  mayRead(request: Request): boolean {
    const peer = peerOf(request);
    return peer?.role === "operator" &&
      whyNoReader(this.#parts.machine.state, peer.identity, now().wallMs) === null;
  }

  /** Says whether a node, or another of several conductors, sealed this request. */
  isNode(request: Request): boolean {
    const role = peerOf(request)?.role;
    return role === "node" || role === "conductor";
  }

  /** Answers what is about membership; `null` for every other request. */
  handle(request: Request, url: URL, from: string): Response | Promise<Response> | null {
    switch (url.pathname) {
      case "/identity":
        return Response.json({
          ...this.keys.introduction,
          head: this.#parts.machine.state.head,
          ...anchorOf(this.#parts.machine.state),
          ...this.#succession(),
        });
      case "/join":
        return this.#join(request, from);
      case "/member":
        return this.#member(request, url);
      case "/members":
        return this.#members(request);
      default:
        return null;
    }
  }

  /** The operator's word that this conductor took the place of one that is lost. */
  #succession(): { readonly succession?: unknown } {
    const { members, roster } = this.#parts.machine.state;
    const signed = members.succession;
    const key = signed && roster.save().keys.find((each) => each.key === signed.key);
    if (!signed || !key) return {};
    const { text, signatureHex: signature } = signed;
    return { succession: { text, signature, operator: key.publicKey } };
  }

  /**
   * Why a daemon that another conductor let in does not come over to this one; `null` where it does:
   * an operator has said that this one took that one's place, and that one that it let it in.
   */
  async #whyNotOver(
    member: Member,
    terms: TokenTerms,
    admission?: Admission,
  ): Promise<string | null> {
    const { members, log } = this.#parts.machine.state;
    const succession = members.succession && parseSuccession(members.succession.text);
    const isOurs = succession?.log === log && succession.identity === this.keys.identity;
    if (!isOurs || !admission) return "the token is another conductor's";
    const { atS, conductor, signature } = admission;
    const key = Uint8Array.fromBase64(conductor);
    const { identity, role, name, node } = member;
    const about = { token: terms.id, identity, role, name, atS };
    const text = admissionText(node === undefined ? about : { ...about, node });
    const isProven = sha256Hex(key) === terms.conductor && atS <= succession.unixS &&
      await this.#parts.verifier.verify(key, text, signature);
    if (!isProven) return "the conductor of the token did not let it in";
    return members.wasForgotten(name, atS) ? "it was forgotten; it needs a new token" : null;
  }

  async #join(request: Request, from: string): Promise<Response> {
    const refuse = (why: string) => Response.json({ error: why }, { status: 403 });
    const staticKey = staticKeyOf(request);
    if (request.method !== "POST" || staticKey === undefined) {
      return refuse("joining is a POST in a sealed session");
    }
    const said = parseJoin(await shortText(request));
    const terms = said && parseTerms(said.token);
    const own = said && staticKeyBytes(said.introduction.staticKey);
    if (!said || !terms || !own || own.toHex() !== staticKey.toHex()) {
      return refuse("this is no request to join");
    }
    const identityKey = Uint8Array.fromBase64(said.introduction.identityKey);
    const { verifier } = this.#parts;
    const [key, proven] = await Promise.all([
      this.#parts.signerOf(said.token, said.signature),
      verifier.verify(identityKey, certificateText(own), said.introduction.certificate),
    ]);
    if (key === null) return refuse("no operator of this cluster signed the token");
    if (!proven) return refuse("the identity did not sign its static key");
    const member: Member = {
      role: said.role,
      name: said.name,
      identity: sha256Hex(identityKey),
      staticKey: said.introduction.staticKey,
      ...(said.node === undefined ? {} : { node: said.node }),
    };
    const isOver = terms.conductor !== this.keys.identity;
    const whyNot = isOver ? await this.#whyNotOver(member, terms, said.admission) : null;
    if (whyNot !== null) return refuse(whyNot);
    const reply = await this.#parts.join({
      request: said,
      terms,
      member,
      key,
      address: from,
      ...(isOver ? { admittedS: said.admission!.atS } : {}),
    });
    if (reply !== "OK|JOINED") return refuse(reply?.replace(/^ERR\|JOIN\|/, "") ?? "no answer");
    return Response.json({
      members: this.#listFor(roleOf(said.role)),
      ...(isOver ? {} : { admission: await this.#admission(member, terms) }),
    });
  }

  /** What the daemon may show to a conductor that takes the place of this one. */
  async #admission(member: Member, { id }: TokenTerms): Promise<Admission> {
    const { identity, role, name, node } = member;
    const atS = Math.floor(now().wallMs / 1_000);
    const about = { token: id, identity, role, name, atS };
    const text = admissionText(node === undefined ? about : { ...about, node });
    const conductor = this.keys.introduction.identityKey;
    return { atS, conductor, signature: await this.keys.sign(text) };
  }

  #listFor(roles: readonly string[]): Member[] {
    const all = [...this.#parts.machine.state.members.all()];
    return [this.self, ...all].filter((member) => roles.includes(member.role));
  }

  /** One member, for a daemon that does not follow them all. */
  #member(request: Request, { searchParams }: URL): Response {
    const peer = peerOf(request);
    const { state: { members }, fleet } = this.#parts.machine;
    const at = searchParams.get("at");
    // A node by where it says that it is reached.
    const there = at === null
      ? undefined
      : [...fleet.values()].find(({ beat }) => beat && authority(beat.host, beat.port) === at);
    const member = members.ofNode(there?.id ?? searchParams.get("node") ?? "") ??
      members.ofKey(searchParams.get("key") ?? "");
    if (!peer || peer.role === "operator" || !member) {
      return Response.json({ error: "no such member" }, { status: 404 });
    }
    return Response.json(member);
  }

  #members(request: Request): Response {
    const peer = peerOf(request);
    if (!peer || peer.role === "operator") {
      return Response.json({ error: "only members may follow the roster" }, { status: 403 });
    }
    const roles = roleOf(peer.role);
    const { socket, response } = upgradeStream(request);
    const send = (message: MemberMessage) => {
      if (message.k === "member" && !roles.includes(message.member.role)) return;
      // Whoever was forgotten hears nothing more.
      if (message.k === "forgotten" && message.identity === peer.identity) socket.close();
      else socket.send(JSON.stringify(message));
    };
    socket.onopen = () => {
      send({ k: "members", members: this.#listFor(roles) });
      this.#followers.add(send);
    };
    socket.onclose = () => this.#followers.delete(send);
    socket.onerror = () => {};
    return response;
  }

  /** An entry is about to be applied: `before` the state knows it. */
  note({ body }: Entry): void {
    if (body.kind === "join") {
      logger("seal").debug("{role} {name} joined", { ...body.member });
      for (const send of this.#followers) send({ k: "member", member: body.member });
      this.#parts.changed(null);
    } else if (body.kind === "command") {
      const { text } = body.signed;
      const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
      if (!("verb" in command) || command.verb !== "FORGET") return;
      const member = this.#parts.machine.state.members.named(command.member);
      if (!member) return;
      for (const send of this.#followers) send({ k: "forgotten", identity: member.identity });
      this.#parts.changed(member.identity);
    }
  }
}

/** The body, if it is no longer than a request to join may be; else nothing. */
async function shortText(request: Request): Promise<string> {
  let text = "";
  for await (const part of request.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > JOIN_BYTES) return "";
  }
  return text;
}

function authority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whom a daemon of this role has to do with. */
function roleOf(role: Peer["role"]): readonly string[] {
  return role === "tower" ? ["conductor", "node", "ingress", "tower"] : ["conductor", "tower"];
}
