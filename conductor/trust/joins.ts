/** Daemons that want to come in, one after another. */

import type { Instant } from "../../core/instant.ts";
import { JOINS_WAITING } from "../../core/limits.ts";
import type { EntryBody } from "../../core/log.ts";
import { type ConductorEffect, NOT_LEADING, type ReplyTo } from "../effects.ts";
import { joinEntry, type PendingJoin } from "./members.ts";
import type { State } from "../state.ts";

interface Waiting {
  readonly join: PendingJoin;
  readonly reply: ReplyTo;
}

/** The replies are `OK|JOINED` and `ERR|JOIN|<why>`. */
export class Joins {
  readonly #waiting: Waiting[] = [];
  /** Whose entry is being appended. */
  #underWay: Waiting | null = null;

  constructor(private readonly state: State) {}

  receive(join: PendingJoin, reply: ReplyTo): ConductorEffect[] {
    if (this.#waiting.length >= JOINS_WAITING) return [refusal(reply, "too many want to join now")];
    this.#waiting.push({ join, reply });
    return [];
  }

  /** The next entry; whoever cannot come in is told so in `out`. */
  nextBody(now: Instant, out: ConductorEffect[]): EntryBody | null {
    for (let next; (next = this.#waiting.shift());) {
      const { join, reply } = next;
      if (this.state.members.has(join.member, join.terms)) {
        out.push({ do: "reply", to: reply, text: "OK|JOINED" });
        continue;
      }
      const why = this.#whyNot(join, now.wallMs / 1_000);
      if (why === null) {
        this.#underWay = next;
        return joinEntry(join);
      }
      out.push(refusal(reply, why), {
        do: "event",
        event: {
          wallMs: now.wallMs,
          kind: "refused",
          text: `${join.member.name} at ${join.address} cannot join: ${why}`,
        },
      });
    }
    return null;
  }

  #whyNot({ member, terms, key, admittedS }: PendingJoin, unixS: number): string | null {
    const { roster, head, members } = this.state;
    return roster.whyNot(head.sequence + 1, key, "admin", {}, unixS) ??
      members.whyNot(member, terms, admittedS ?? unixS);
  }

  committed(body: Extract<EntryBody, { kind: "join" }>, now: Instant): ConductorEffect[] {
    const event = { wallMs: now.wallMs, kind: "joined", text: body.audit } as const;
    const reply = this.#underWay?.reply;
    this.#underWay = null;
    return [
      { do: "event", event },
      ...(reply === undefined ? [] : [{ do: "reply", to: reply, text: "OK|JOINED" } as const]),
    ];
  }

  /** Nobody who waits is answered: this conductor does not lead any more. */
  abandon(): ConductorEffect[] {
    const all = [...this.#underWay ? [this.#underWay] : [], ...this.#waiting.splice(0)];
    this.#underWay = null;
    return all.map(({ reply }) => ({ do: "ignore", to: reply, why: NOT_LEADING }));
  }

  /** The entry could not be written; nothing has happened. */
  failed(error: string): ConductorEffect[] {
    const reply = this.#underWay?.reply;
    this.#underWay = null;
    return reply === undefined ? [] : [refusal(reply, `the log cannot be written: ${error}`)];
  }
}

function refusal(to: ReplyTo, why: string): ConductorEffect {
  return { do: "reply", to, text: `ERR|JOIN|${why}` };
}
