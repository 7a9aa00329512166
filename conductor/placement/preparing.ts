/**
 * Whether nodes could run a generation, asked before anything that runs is stopped for it. An order
 * `prepare` is repeated until the node says how it stands; nothing of this is durable.
 */

import {
  PREPARE_AGAIN_MS,
  PREPARE_UNHEARD_MS,
  PREPARED_FRESH_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
} from "../../core/limits.ts";
import type { Mesh } from "../../core/mesh.ts";

/** Which generation is to run where. */
export interface Prepared {
  readonly app: string;
  readonly generation: number;
  readonly sequence: number;
  /** Node id. */
  readonly node: string;
}

export type Verdict =
  | { readonly at: "ok" | "wait" }
  | { readonly at: "fault"; readonly reason: string };

interface Asked extends Prepared {
  readonly sinceMonoMs: number;
  /** The node has answered at all. */
  heard: boolean;
  waitMs: number;
  dueMonoMs: number;
  okMonoMs?: number;
  fault?: { readonly reason: string; readonly sinceMonoMs: number };
  /** The fault is one that no node has to be asked about. */
  known?: true;
  /** Nothing is to be stopped for it any more since then: nobody is asked. */
  restMonoMs?: number;
}

export class Preparing {
  readonly #asked = new Map<string, Asked>();

  /**
   * Whether the node can run it; asks where that is not known.
   *
   * @param missing why no node can, which needs no asking; `null` where nothing is known of that
   */
  verdict(wanted: Prepared, monoMs: number, missing: string | null = null): Verdict {
    const key = keyOf(wanted);
    let known = this.#asked.get(key);
    const isOld = known?.okMonoMs !== undefined && monoMs - known.okMonoMs > PREPARED_FRESH_MS;
    const isOther = known?.sequence !== wanted.sequence || known.restMonoMs !== undefined;
    if (isOther || isOld || missing === null && known?.known) {
      known = {
        ...wanted,
        sinceMonoMs: monoMs,
        heard: false,
        waitMs: RETRY_MIN_MS,
        dueMonoMs: monoMs,
      };
      this.#asked.set(key, known);
    }
    if (missing !== null) {
      const sinceMonoMs = known!.fault?.sinceMonoMs ?? monoMs;
      Object.assign(known!, { known: true, dueMonoMs: Infinity });
      known!.fault = { reason: missing, sinceMonoMs };
      delete known!.okMonoMs;
    }
    if (known!.fault) return { at: "fault", reason: known!.fault.reason };
    if (known!.okMonoMs !== undefined) return { at: "ok" };
    // A node of an earlier version never answers: then nobody can know, as nobody could before.
    const isDeaf = !known!.heard && monoMs - known!.sinceMonoMs >= PREPARE_UNHEARD_MS;
    return { at: isDeaf ? "ok" : "wait" };
  }

  /** What a node cannot do of this record, and for how long it has said so. */
  faultOf(
    app: string,
    sequence: number,
    monoMs: number,
  ): (Prepared & { readonly reason: string; readonly forMs: number }) | null {
    for (const each of this.#asked.values()) {
      if (each.app !== app || each.sequence !== sequence || !each.fault) continue;
      if (each.restMonoMs !== undefined) continue;
      const { reason, sinceMonoMs } = each.fault;
      return { ...each, reason, forMs: monoMs - sinceMonoMs };
    }
    return null;
  }

  /** Node id -> why it could not run this record when it was last asked, a moment ago. */
  unable(app: string, sequence: number): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const each of this.#asked.values()) {
      if (each.app !== app || each.sequence !== sequence || !each.fault || each.known) continue;
      found.set(each.node, each.fault.reason);
    }
    return found;
  }

  /** Nodes that have said a moment ago that they can run this record, and have not got it since. */
  able(app: string, sequence: number, monoMs: number): ReadonlySet<string> {
    const found = new Set<string>();
    for (const each of this.#asked.values()) {
      if (each.app === app && each.sequence === sequence && isFresh(each, monoMs)) {
        found.add(each.node);
      }
    }
    return found;
  }

  /** It was placed there: what the node has said was for this one. */
  placed({ app, node }: Pick<Prepared, "app" | "node">): void {
    const known = this.#asked.get(keyOf({ app, node }));
    if (known?.okMonoMs !== undefined) this.#asked.delete(keyOf({ app, node }));
  }

  /** @returns whether it is news */
  take(message: Mesh<"prepared">, monoMs: number): boolean {
    const known = this.#asked.get(keyOf(message));
    if (known?.sequence !== message.sequence || known.known) return false;
    known.heard = true;
    if (message.state === "working") {
      known.waitMs = RETRY_MAX_MS;
      return false;
    }
    if (message.state === "ok") {
      const isNews = known.okMonoMs === undefined;
      known.okMonoMs = monoMs;
      delete known.fault;
      return isNews;
    }
    known.waitMs = PREPARE_AGAIN_MS;
    const { reason = "it does not say why" } = message;
    const isNews = known.fault?.reason !== reason;
    known.fault = { reason, sinceMonoMs: known.fault?.sinceMonoMs ?? monoMs };
    return isNews;
  }

  /**
   * Nothing is to be stopped for this app (any more): nobody is asked. What was said is remembered for
   * a while, so that what was stopped is placed where it can run.
   */
  rest(app: string, monoMs: number): void {
    for (const [key, each] of this.#asked) {
      if (each.app !== app) continue;
      each.restMonoMs ??= monoMs;
      each.dueMonoMs = Infinity;
      const isFault = each.fault && !each.known && monoMs - each.restMonoMs < PREPARED_FRESH_MS;
      if (!isFault && !isFresh(each, monoMs)) this.#asked.delete(key);
    }
  }

  /** What is to be asked (again) now. */
  takeDue(monoMs: number): Prepared[] {
    const due: Prepared[] = [];
    for (const each of this.#asked.values()) {
      if (each.okMonoMs !== undefined || each.dueMonoMs > monoMs) continue;
      due.push(each);
      each.dueMonoMs = monoMs + each.waitMs;
      each.waitMs = Math.min(RETRY_MAX_MS, each.waitMs * 2);
    }
    return due;
  }

  /** Nothing is due before this; `Infinity` where nothing is asked. */
  nextDueMonoMs(): number {
    let next = Infinity;
    for (const each of this.#asked.values()) {
      if (each.okMonoMs === undefined) next = Math.min(next, each.dueMonoMs);
    }
    return next;
  }
}

/** Says whether the node could run it, the last it said, and that is not long ago. */
function isFresh({ okMonoMs }: Asked, monoMs: number): boolean {
  return okMonoMs !== undefined && monoMs - okMonoMs <= PREPARED_FRESH_MS;
}

function keyOf({ app, node }: Pick<Prepared, "app" | "node">): string {
  return `${app}/${node}`;
}
