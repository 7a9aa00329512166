// What the log must be like, entry by entry: it is the history of all decisions.

import { parseOperatorCommand } from "../../core/command.ts";
import { checkEntry, EMPTY_HEAD, type Entry, type Head } from "../../core/log.ts";
import { Violation } from "./violation.ts";

interface Placed {
  readonly app: string;
  readonly node: string;
}

export class History {
  #head: Head = EMPTY_HEAD;
  readonly #texts = new Set<string>();
  readonly #ids = new Set<string>();
  /** App -> generations in the order of the log: sequence, and to what each may fall back. */
  readonly #applied = new Map<string, Map<number, { sequence: number; fallback?: number }>>();
  /** App -> replicas wanted, by the newest manifest or decision. */
  readonly #wanted = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  readonly #placed = new Map<string, Placed>();
  readonly #living = new Map<string, Placed>();

  /** Takes the next entry. @throws {Violation} */
  take(entry: Entry): void {
    const wrong = checkEntry(this.#head, entry);
    if (wrong) throw new Violation(`entry ${entry.sequence} does not follow in the log: ${wrong}`);
    this.#head = entry;
    const { body } = entry;
    if (body.kind === "command") this.#command(entry.sequence, body.signed.text);
    if (body.kind !== "decision") return;
    for (const replica of body.gone) this.#living.delete(replica);
    for (const { app, count } of body.scale ?? []) this.#wanted.set(app, count);
    for (const place of body.place) this.#place(entry.sequence, place);
    for (const app of new Set(body.place.map((place) => place.app))) {
      this.#countSurplus(entry.sequence, app);
    }
  }

  /** A rollout adds one at a time (`batch`); what is leaving still counts. */
  #countSurplus(sequence: number, app: string): void {
    const wanted = this.#wanted.get(app) ?? 0;
    const living = [...this.#living.values()].filter((each) => each.app === app).length;
    if (living <= wanted + 1) return;
    throw new Violation(
      `entry ${sequence} makes it ${living} replicas of ${app}, where ${wanted} and one more may be`,
    );
  }

  #command(sequence: number, text: string): void {
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
    if (command.verb !== "APPLY") return;
    const { app, generation, fallback } = command;
    const newest = this.#newest.get(app) ?? 0;
    if (generation !== newest + 1) {
      throw new Violation(`${app} goes from generation ${newest} to ${generation}`);
    }
    this.#newest.set(app, generation);
    this.#wanted.set(app, Number(/^ {2}replicas (\d+)$/m.exec(command.manifest)?.[1] ?? 1));
    const applied = this.#applied.get(app) ?? new Map();
    applied.set(generation, { sequence, ...(fallback === undefined ? {} : { fallback }) });
    this.#applied.set(app, applied);
  }

  #place(
    sequence: number,
    place: Placed & { replica: string; generation: number; sequence: number },
  ): void {
    const { replica, app, generation } = place;
    if (this.#placed.has(replica)) {
      throw new Violation(`entry ${sequence} gives the id ${replica} away a second time`);
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

  /** Says whether an operator signed just this. */
  isSigned(app: string, generation: number, sequence: number): boolean {
    return this.#applied.get(app)?.get(generation)?.sequence === sequence;
  }

  /** Where a replica that the log still has was placed. */
  placeOf(replica: string): Placed | undefined {
    return this.#living.get(replica);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
