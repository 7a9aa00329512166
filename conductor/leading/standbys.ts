/**
 * Which artifacts the other conductors have, as each of them tells whoever leads, again and again.
 * Nothing of it is durable: whoever leads next is told anew.
 */

import { STANDBY_REPORT_ARTIFACTS, STANDBY_REPORT_LEASE_MS, STANDBYS } from "../../core/limits.ts";
import { list, parseShaped, type Shaped, struct, text } from "../../core/shape.ts";

const reportShape = struct({
  /** One start of one conductor. */
  conductor: text(32, /^[0-9a-f]{1,32}$/),
  /** `HOST:PORT` at which it may be asked for them. */
  at: text(300),
  /** Digests of all that it has whole. */
  has: list(text(64, /^[0-9a-f]{64}$/), STANDBY_REPORT_ARTIFACTS),
});
/** What a standby says of itself. */
export type StandbyReport = Shaped<typeof reportShape>;

/** The report in this text; `null` where it is none. */
export function parseStandbyReport(json: string): StandbyReport | null {
  return parseShaped(reportShape, json);
}

interface Standby {
  readonly at: string;
  readonly has: ReadonlySet<string>;
  readonly heardMs: number;
}

export class Standbys {
  /** By boot; who was heard last is the last. */
  readonly #standbys = new Map<string, Standby>();

  take({ conductor, at, has }: StandbyReport, nowMs: number): void {
    this.#standbys.delete(conductor);
    this.#standbys.set(conductor, { at, has: new Set(has), heardMs: nowMs });
    for (const oldest of this.#standbys.keys()) {
      if (this.#standbys.size <= STANDBYS) return;
      this.#standbys.delete(oldest);
    }
  }

  /** How many have been heard lately. */
  count(nowMs: number): number {
    return this.#heard(nowMs).length;
  }

  /** Where this artifact is, too. */
  having(sha256: string, nowMs: number): string[] {
    return this.#heard(nowMs).filter(({ has }) => has.has(sha256)).map(({ at }) => at);
  }

  #heard(nowMs: number): Standby[] {
    for (const [conductor, { heardMs }] of this.#standbys) {
      if (nowMs - heardMs <= STANDBY_REPORT_LEASE_MS) break;
      this.#standbys.delete(conductor);
    }
    return [...this.#standbys.values()];
  }
}
