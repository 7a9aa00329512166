import type { Handler } from "../jobs/loop.ts";
import { MAIL_END_MS } from "../limits.ts";
import { noteTo, type Surroundings } from "../service.ts";
import { createMailer, type Mail, type Mailer, MailRefused } from "./mail.ts";
import { createOutbox } from "./outbox.ts";
import type { Sending } from "./sending.ts";

/** Who mails are from where `MAIL_FROM` does not say it. */
const MAIL_FROM = "SovereignMarket <orders@sovereign-market.invalid>";

/**
 * Sends a mail once for all, however often it is asked to; to be called by a job's handler.
 *
 * @param key what the mail is about
 * @param signal, allow the job's
 */
export type Sender = (
  key: string,
  mail: Mail,
  signal: AbortSignal,
  allow: Parameters<Handler>[2],
) => Promise<void>;

export interface SenderNeeds {
  readonly sending: Sending;
  readonly mailer: Mailer;
  now(): number;
  note(event: string, more: Record<string, unknown>): void;
}

/** Creates the sender of a program; all its mails go through this one. */
export function createSender({ sending, mailer, now, note }: SenderNeeds): Sender {
  // One mail after another, from the first word to the note of it: a kill can leave only one of which
  // nobody knows whether it was taken on.
  const inTurn = createTurns();
  return (key, mail, signal, allow) =>
    inTurn(async () => {
      signal.throwIfAborted();
      const turn = await sending.begin(key, now());
      if (!turn) return;
      if (turn.unsure) note("mail-again", { key, message_id: mail.messageId });
      const beforeEnd = async () => {
        signal.throwIfAborted();
        if (!await sending.ending(turn)) throw new Error("another worker has taken this on");
        // What may have been taken on is waited for; giving up would send it again.
        allow(MAIL_END_MS);
      };
      try {
        await mailer.send(mail, beforeEnd, signal);
      } catch (error) {
        if (error instanceof MailRefused) await sending.refused(turn);
        throw error;
      }
      await sending.sent(turn);
    });
}

/** Lets each piece of work begin when all before it have ended. */
function createTurns(): (work: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
}

/** Mails go to `SMTP_URL`; without it they are kept as files; with neither server nor folder not. */
export function mailerFromEnv(around: Surroundings): Mailer | undefined {
  const from = around.env("MAIL_FROM") ?? MAIL_FROM;
  const smtp = around.env("SMTP_URL");
  if (smtp) return createMailer(smtp, from);
  const folder = around.env("DATA_DIR");
  if (!folder) return undefined;
  const note = noteTo(around);
  const why = "SMTP_URL is not set";
  return createOutbox(
    `${folder}/outbox`,
    from,
    (file, to) => note("mail-written", { file, to, why }),
  );
}
