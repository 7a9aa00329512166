// Letters about an account: what identity has to say to a user, as a mail.

import type { Handler } from "../jobs/loop.ts";
import { RESET_MS } from "../limits.ts";
import type { Identity, Letter } from "../modules.ts";
import type { Mail } from "./mail.ts";
import type { Sender } from "./sender.ts";

/** The kind of job that a letter is. */
export const LETTER_JOB = "letter";

/** What names a letter's job: it is queued once. */
export function letterKey(id: string): string {
  return `${LETTER_JOB}:${id}`;
}

/**
 * The mail that a letter is.
 *
 * @param shop where the shop is, for links (`https://shop.example`); absent, the mail says which page
 *   to open. It is a setting and never taken from a request: whoever asks must not choose where
 *   the token is sent to.
 */
export function letterMail(id: string, letter: Letter, shop: string | undefined): Mail {
  const { kind, to } = letter;
  const minutes = RESET_MS / 60_000;
  const at = (path: string) => shop === undefined ? undefined : shop.replace(/\/+$/, "") + path;
  const mail = (subject: string, lines: readonly string[]): Mail => ({
    to,
    subject,
    text: [`Dear ${to.name},`, "", ...lines, ""].join("\n"),
    messageId: `<${kind}.${id}@sovereign-market.invalid>`,
  });
  switch (kind) {
    case "reset": {
      const { token } = letter;
      // Behind "#" it stays in the browser: no server's log has it.
      const link = at(`/reset#${token}`);
      return mail("Choose a new password for SovereignMarket", [
        "somebody, we hope you, has forgotten the password of your account at",
        `SovereignMarket. Choose a new one within ${minutes} minutes; this works once:`,
        "",
        ...(link ? [link] : ["Open the page /reset of the shop and enter this code:", token]),
        "",
        "If it was not you, do nothing: your password stays as it is.",
      ]);
    }
    case "changed":
      return mail("Your password at SovereignMarket was changed", [
        "the password of your account at SovereignMarket was changed just now. Every",
        "device has to sign in with the new one.",
        "",
        "If it was not you, choose another at once:",
        at("/forgot") ?? "open the page /forgot of the shop.",
      ]);
    default:
      return letter satisfies never;
  }
}

/** Writes and sends a letter; there may be nothing to say any more, or nobody to say it to. */
export function createLetterHandler(
  identity: Pick<Identity, "letter">,
  send: Sender,
  shop: string | undefined,
): Handler {
  return async ({ key, payload }, signal, allow) => {
    const { letter: id } = payload as { letter: string };
    const letter = await identity.letter(id);
    if (letter) await send(key, letterMail(id, letter, shop), signal, allow);
  };
}
