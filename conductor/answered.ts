// What was answered to commands: for whoever repeats one, and so that none is executed twice.

import { parseOperatorCommand } from "../core/command.ts";
import { COMMAND_ID_S, SIGNED_WINDOW_S } from "../core/limits.ts";
import type { SignedRecord } from "../core/log.ts";
import type { OperatorKey } from "../core/roster.ts";
import { replayKey } from "../core/signed.ts";
import type { State } from "./state.ts";

/** What was answered to a command that carried an id, for whoever repeats it. */
export interface Answered {
  readonly unixS: number;
  readonly reply: string;
}

/** Under which a command's reply is found again by its operator and its id. */
export function idKey(key: string, id: string): string {
  return `id|${key}|${id}`;
}

/**
 * Keys that are nobody's any more, under which commands were answered that may be asked about again:
 * whoever replaces or revokes their own key signs a repeat of just that with it.
 */
export function repeatingKeys(state: State): OperatorKey[] {
  return state.roster.retiredKeys().filter(({ key }) => {
    const begin = idKey(key, "");
    for (const mark of state.answeredIds.keys()) if (mark.startsWith(begin)) return true;
    return false;
  });
}

/** Remembers what was answered to a signed command. */
export function remember(state: State, signed: SignedRecord, reply: string, wallMs: number): void {
  const cut = signed.text.lastIndexOf("|");
  const unixS = Number(signed.text.slice(cut + 1));
  const command = parseOperatorCommand(signed.text.slice(0, cut));
  state.answered.set(replayKey(signed, signed.key), { unixS, reply });
  if ("id" in command) state.answeredIds.set(idKey(signed.key, command.id), { unixS, reply });
  forgetAnswers(state, wallMs);
}

/** Forgets answers that nobody can ask for any more. */
export function forgetAnswers(state: State, wallMs: number): void {
  state.forgottenUnixS = Math.max(state.forgottenUnixS, forgetMarks(state.answered, wallMs));
  // Signed anew, a repeat has another text and a later time, so its id is kept much longer.
  forgetBefore(state.answeredIds, wallMs, COMMAND_ID_S);
}

/**
 * Forgets what is too old to be executed anyway. The latest second of what was forgotten comes back:
 * nothing signed at or before it must be taken any more, wherever the clock is set to.
 */
export function forgetMarks(answers: Map<string, Answered>, wallMs: number): number {
  return forgetBefore(answers, wallMs, 2 * SIGNED_WINDOW_S);
}

function forgetBefore(answers: Map<string, Answered>, wallMs: number, keptS: number): number {
  const nowUnixS = Math.floor(wallMs / 1000);
  let latest = 0;
  for (const [key, { unixS }] of answers) {
    // Refused since its time had not come yet: kept until it has gone by, and nobody waits for that.
    if (unixS > nowUnixS + SIGNED_WINDOW_S) continue;
    if (unixS >= nowUnixS - keptS) break;
    answers.delete(key);
    latest = Math.max(latest, unixS);
  }
  return latest;
}
