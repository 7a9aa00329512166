/**
 * People whom single sign-on let in, one after another: the audit knows of each before the deck
 * opens.
 */

import { VISITS_WAITING } from "../../core/limits.ts";
import type { EntryBody } from "../../core/log.ts";
import type { ConductorEffect, ReplyTo } from "../effects.ts";

/** Who came in, and by whose word. */
export interface Visit {
  readonly name: string;
  readonly subject: string;
  readonly issuer: string;
  /** One line for people: who, from where, with which grants. */
  readonly audit: string;
}

interface Waiting {
  readonly visit: Visit;
  readonly reply: ReplyTo;
}

/** The replies are `OK|VISIT` and `ERR|VISIT|<why>`. */
export class Visits {
  readonly #waiting: Waiting[] = [];
  /** Whose entry is being appended. */
  #underWay: Waiting | null = null;

  receive(visit: Visit, reply: ReplyTo): ConductorEffect[] {
    if (this.#waiting.length >= VISITS_WAITING) {
      return [refusal(reply, "too many sign in at this moment")];
    }
    this.#waiting.push({ visit, reply });
    return [];
  }

  nextBody(): EntryBody | null {
    const next = this.#waiting.shift();
    if (!next) return null;
    this.#underWay = next;
    return { kind: "sign-in", ...next.visit };
  }

  committed(): ConductorEffect[] {
    const reply = this.#underWay?.reply;
    this.#underWay = null;
    return reply === undefined ? [] : [{ do: "reply", to: reply, text: "OK|VISIT" }];
  }

  /** The entry could not be written; nothing has happened. */
  failed(error: string): ConductorEffect[] {
    const reply = this.#underWay?.reply;
    this.#underWay = null;
    return reply === undefined ? [] : [refusal(reply, `the log cannot be written: ${error}`)];
  }
}

function refusal(to: ReplyTo, why: string): ConductorEffect {
  return { do: "reply", to, text: `ERR|VISIT|${why}` };
}
