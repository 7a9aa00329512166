/**
 * The log looked at by somebody who trusts nobody: entry by entry, each against the one before, each
 * command against its operator's signature, and the whole against what nodes have kept of it.
 */

import { NEEDED_ROLE, reachOf } from "./authority.ts";
import { genesisOf, linkOf } from "./chain.ts";
import { parseOperatorCommand } from "./command.ts";
import { checkEntry, EMPTY_HEAD, type Entry, type Head, logNameOf } from "./log.ts";
import { changesRoster, type Root, Roster } from "./roster.ts";
import { parseManifest } from "./manifest/parse.ts";

/** What a conductor has signed about its log, and a node has kept. */
export interface Checkpoint {
  readonly log: string;
  readonly sequence: number;
  /** The hash of the entry there. */
  readonly hash: string;
  readonly wallMs: number;
  /** The conductor's identity: a raw ML-DSA-65 public key in base64. */
  readonly publicKey: string;
  readonly signatureHex: string;
}

/** The text under a checkpoint's signature. */
export function checkpointText(
  { log, sequence, hash, wallMs }: Omit<Checkpoint, "publicKey" | "signatureHex">,
): string {
  return `skr8tr checkpoint|${log}|${sequence}|${hash}|${wallMs}`;
}

/** Says whether this key (base64) signed this text. */
export type Verify = (publicKey: string, text: string, signatureHex: string) => Promise<boolean>;

/** Goes through a log from its first entry, and collects everything that is wrong with it. */
export class AuditCheck {
  readonly problems: string[] = [];
  readonly roster = new Roster();
  readonly #hashes = new Map<number, string>();
  readonly #namespaces = new Map<string, string>();
  #head: Head = EMPTY_HEAD;
  #log = "";
  #chain = "";
  #commands = 0;

  constructor(private readonly verify: Verify, roots: readonly Root[] | null) {
    this.#trusts = roots !== null;
    for (const root of roots ?? []) this.roster.addRoot(root);
  }

  /** Without keys of one's own those are believed that the log itself begins with. */
  readonly #trusts: boolean;

  get log(): string {
    return this.#log;
  }

  get head(): Head {
    return this.#head;
  }

  get commands(): number {
    return this.#commands;
  }

  async take(entry: Entry): Promise<void> {
    const wrong = checkEntry(this.#head, entry);
    if (wrong !== null) this.problems.push(wrong);
    // What comes next is judged by what stands here, so that one fault is told once.
    this.#head = { sequence: entry.sequence, hash: entry.hash };
    this.#hashes.set(entry.sequence, entry.hash);
    if (entry.sequence === 1 || this.#log === "") {
      this.#log = logNameOf(entry);
      this.#chain = genesisOf(this.#log);
    }
    const { body } = entry;
    if (body.kind === "roots" && !this.#trusts) {
      for (const [key, publicKey] of body.roots) {
        this.roster.addRoot({ key, publicKey: Uint8Array.fromBase64(publicKey) });
      }
    }
    if (body.kind === "command") await this.#command(entry, body);
  }

  async #command(
    entry: Entry,
    body: Extract<Entry["body"], { kind: "command" }>,
  ): Promise<void> {
    const { sequence } = entry;
    const { text, signatureHex, key } = body.signed;
    const say = (problem: string) => this.problems.push(`entry ${sequence}: ${problem}`);
    this.#commands++;
    this.#chain = linkOf(this.#chain, { sequence, ...body.signed, manifest: body.manifest });
    if (body.chain !== undefined && body.chain !== this.#chain) {
      say("it does not go on with the chain of commands");
      this.#chain = body.chain;
    }
    if (this.roster.isOpen) return;
    const cut = text.lastIndexOf("|");
    const command = parseOperatorCommand(text.slice(0, cut));
    if ("error" in command) return void say(`no command: ${command.error}`);
    const known = this.roster.keysAt(sequence).find((each) => each.key === key);
    if (!known) return void say(`signed by ${key.slice(0, 12)}, which was no operator's key then`);
    if (!await this.verify(known.publicKey, text, signatureHex)) {
      return void say("its signature does not verify");
    }
    const own = command.verb === "ROTATE" && known.name === command.name;
    const reach = reachOf(command, (app) => this.#namespaces.get(app), body.manifest);
    const unixS = Number(text.slice(cut + 1));
    const why = own
      ? null
      : this.roster.whyNot(sequence, key, NEEDED_ROLE[command.verb], reach, unixS);
    if (why !== null) say(why);
    if (changesRoster(command)) this.roster.apply(sequence, command);
    if (command.verb === "APPLY") {
      const parsed = parseManifest(command.manifest);
      const spec = parsed.ok ? parsed.apps[0] : undefined;
      if (spec) this.#namespaces.set(spec.name, spec.namespace);
    }
  }

  /** Compares the log with what somebody has kept of it. */
  async compare(checkpoint: Checkpoint, keeper: string): Promise<void> {
    const { log, sequence, hash, publicKey, signatureHex } = checkpoint;
    if (!await this.verify(publicKey, checkpointText(checkpoint), signatureHex)) {
      this.problems.push(`${keeper} keeps a checkpoint at ${sequence} that nobody signed`);
      return;
    }
    if (log !== this.#log) {
      this.problems.push(`${keeper} keeps a checkpoint of another log (${log.slice(0, 12)})`);
      return;
    }
    if (sequence > this.#head.sequence) {
      this.problems.push(
        `the log ends at ${this.#head.sequence}, but ${keeper} keeps a signed checkpoint of entry ` +
          `${sequence}: its end was cut off`,
      );
      return;
    }
    const stands = this.#hashes.get(sequence);
    if (stands !== hash) {
      this.problems.push(`entry ${sequence} is not the one that ${keeper} keeps a checkpoint of`);
    }
  }
}
