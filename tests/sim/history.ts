// What the log must be like, entry by entry: it is the history of all decisions.

import { type OperatorCommand, parseOperatorCommand } from "../../core/command.ts";
import {
  checkEntry,
  EMPTY_HEAD,
  type Entry,
  type Head,
  type SignedRecord,
} from "../../core/log.ts";
import { JobBook } from "./job_book.ts";
import { ANN, type Signer, signerOf } from "./signers.ts";
import { Violation } from "./violation.ts";

interface Placed {
  readonly app: string;
  readonly node: string;
}

interface Applied {
  readonly sequence: number;
  readonly replicas: number;
  readonly fallback?: number;
  /** The digest of its artifact. */
  readonly sha256?: string;
}

export class History {
  readonly jobs = new JobBook();
  #head: Head = EMPTY_HEAD;
  readonly #texts = new Set<string>();
  readonly #ids = new Set<string>();
  /** App -> generations in the order of the log: sequence, and to what each may fall back. */
  readonly #applied = new Map<string, Map<number, Applied>>();
  /** App -> replicas wanted, by the newest manifest or decision. */
  readonly #wanted = new Map<string, number>();
  /** Apps whose last rollout failed, so that they are on the way back. */
  readonly #goesBack = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #volumes = new Set<string>();
  readonly #scaled = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  readonly #placed = new Map<string, Placed>();
  readonly #living = new Map<string, Placed>();
  /** Node -> its name; and what keeps replicas off it. */
  readonly #names = new Map<string, string>();
  readonly #bars = new Map<string, string>();
  /** Grants by which ann may work on `web`, by their entries. */
  readonly #granted = new Set<string>();

  /** Takes the next entry. @throws {Violation} */
  take(entry: Entry): void {
    const wrong = checkEntry(this.#head, entry);
    if (wrong) throw new Violation(`entry ${entry.sequence} does not follow in the log: ${wrong}`);
    this.#head = entry;
    const { body } = entry;
    if (body.kind === "command") this.#command(entry, body.signed);
    if (body.kind === "rollout" && body.back !== undefined) this.#goesBack.add(body.app);
    if (body.kind === "node") this.#names.set(body.node, body.name);
    if (body.kind !== "decision") return;
    for (const replica of body.leave) this.#leaving.add(replica);
    for (const replica of body.gone) this.#living.delete(replica);
    for (const { app, run } of body.runs ?? []) this.jobs.decided(entry.sequence, app, run);
    for (const { app, count } of body.scale ?? []) this.#wanted.set(app, count);
    for (const place of body.place) {
      this.#place(entry.sequence, place);
      this.jobs.placed(entry.sequence, place);
    }
    for (const app of new Set(body.place.map((place) => place.app))) {
      if (!this.jobs.has(app)) this.#countSurplus(entry.sequence, app);
    }
  }

  /**
   * A rollout adds one at a time (`batch`), and so does a node that is drained. An app that exists once and has a volume is never there
   * twice, not even while one is leaving.
   */
  #countSurplus(sequence: number, app: string): void {
    const wanted = Math.max(this.#wanted.get(app) ?? 0, this.#scaled.get(app) ?? 0);
    const all = [...this.#living].filter(([, each]) => each.app === app);
    if (wanted === 1 && this.#volumes.has(app) && all.length > 1) {
      throw new Violation(
        `entry ${sequence} places ${app}, which exists once with a volume, beside ` +
          all.map(([replica]) => replica).slice(0, -1).join(" "),
      );
    }
    const living = all.filter(([replica]) => !this.#leaving.has(replica));
    // The way back is taken at once: what is to be replaced is no good.
    const surge = this.#goesBack.has(app) ? Math.max(1, wanted) : 1;
    // What moves off a node that is drained is replaced one by one, whatever else goes on.
    const moves = living.some(([, { node }]) => this.#barOf(node) === "DRAIN") ? 1 : 0;
    if (living.length <= wanted + surge + moves) return;
    throw new Violation(
      `entry ${sequence} makes it ${living.length} replicas of ${app}, where ${wanted} and ` +
        `${surge + moves} more may be`,
    );
  }

  #command({ sequence, wallMs }: Entry, { text, signatureHex }: SignedRecord): void {
    if (this.#texts.has(text)) {
      throw new Violation(`entry ${sequence} executes a signed command a second time`);
    }
    this.#texts.add(text);
    const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
    if ("error" in command) throw new Violation(`entry ${sequence} is no command`);
    if ("id" in command) {
      if (this.#ids.has(command.id)) {
        throw new Violation(`entry ${sequence} executes ${command.id} a second time`);
      }
      this.#ids.add(command.id);
    }
    this.#maySay(sequence, command, signerOf(text, signatureHex));
    if (command.verb === "SCALE") this.#scaled.set(command.app, Number(command.count));
    if (command.verb === "UNCORDON") this.#bars.delete(command.node);
    if (command.verb === "CORDON" || command.verb === "DRAIN") {
      this.#bars.set(command.node, command.verb);
    }
    if (command.verb !== "APPLY") {
      if ("app" in command) this.jobs.said(command.verb, command.app, wallMs);
      return;
    }
    if (command.manifest.includes("  type job")) {
      this.jobs.applied(command.app, command.manifest, wallMs);
    }
    const { app, generation, fallback } = command;
    this.#goesBack.delete(app);
    const newest = this.#newest.get(app) ?? 0;
    if (generation !== newest + 1) {
      throw new Violation(`${app} goes from generation ${newest} to ${generation}`);
    }
    this.#newest.set(app, generation);
    const applied = this.#applied.get(app) ?? new Map();
    if (command.manifest.includes("  volume {")) this.#volumes.add(app);
    const sha256 = /; sha256 ([0-9a-f]{64});/.exec(command.manifest)?.[1];
    const replicas = Number(/^ {2}replicas (\d+)$/m.exec(command.manifest)?.[1] ?? 1);
    // Should it go back, as many are wanted as the manifest before said; an operator's number holds
    // until a manifest says another.
    const before = applied.get(fallback ?? 0)?.replicas ?? 0;
    // So does what an app that scales by itself has come to.
    const grown = command.manifest.includes("  scale {") ? this.#wanted.get(app) ?? 0 : 0;
    this.#wanted.set(app, Math.max(replicas, before, grown));
    applied.set(generation, {
      sequence,
      replicas,
      ...(fallback === undefined ? {} : { fallback }),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
    this.#applied.set(app, applied);
  }

  /** Ann may work on `web` while that is granted to her, and no more. */
  #maySay(sequence: number, command: OperatorCommand, signer: Signer | null): void {
    if (signer === null) throw new Violation(`entry ${sequence} was signed by nobody`);
    if (signer === ANN) {
      const may = this.#granted.size > 0 && "app" in command && command.app === "web";
      if (may) return;
      throw new Violation(
        `entry ${sequence} executes ann's ${command.verb}, which she may not say`,
      );
    }
    if (command.verb === "GRANT") this.#granted.add(`${sequence}`);
    if (command.verb === "UNGRANT") this.#granted.delete(command.grant);
  }

  #place(
    sequence: number,
    place: Placed & { replica: string; generation: number; sequence: number },
  ): void {
    const { replica, app, generation } = place;
    if (this.#placed.has(replica)) {
      throw new Violation(`entry ${sequence} gives the id ${replica} away a second time`);
    }
    const bar = this.#barOf(place.node);
    if (bar !== undefined) {
      throw new Violation(`entry ${sequence} places ${replica} on a node after its ${bar}`);
    }
    this.#placed.set(replica, place);
    this.#living.set(replica, place);
    const newest = this.#newest.get(app) ?? 0;
    const fallback = this.#applied.get(app)?.get(newest)?.fallback;
    if (generation !== newest && generation !== fallback) {
      throw new Violation(
        `entry ${sequence} places ${replica} of generation ${generation}; signed are ${newest} ` +
          `and, to fall back to, ${fallback ?? "none"}`,
      );
    }
    if (this.#applied.get(app)?.get(generation)?.sequence !== place.sequence) {
      throw new Violation(`entry ${sequence} places ${replica} by a record that is not its own`);
    }
  }

  #barOf(node: string): string | undefined {
    return this.#bars.get(this.#names.get(node) ?? "");
  }

  /** Says whether an operator signed just this. */
  isSigned(app: string, generation: number, sequence: number): boolean {
    return this.#applied.get(app)?.get(generation)?.sequence === sequence;
  }

  /** The digest of the artifact that was signed for this generation; none: it has no artifact. */
  artifactOf(app: string, generation: number): string | undefined {
    return this.#applied.get(app)?.get(generation)?.sha256;
  }

  /** Where a replica that the log still has was placed. */
  placeOf(replica: string): Placed | undefined {
    return this.#living.get(replica);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
