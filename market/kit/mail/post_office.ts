import { openFromEnv } from "../database.ts";
import { LOOP_SETTINGS, startLoop } from "../jobs/loop.ts";
import { QUEUE_SETTINGS } from "../jobs/queue.ts";
import { createSqlQueue, QUEUE_TABLES } from "../jobs/queue_sql.ts";
import { JOB_SWEEP_MS, LETTERS_POLL_MS } from "../limits.ts";
import type { Identity, Module, Post } from "../modules.ts";
import { noteTo, type Surroundings } from "../service.ts";
import { createLetterHandler, LETTER_JOB, letterKey } from "./letters.ts";
import { createSender, mailerFromEnv } from "./sender.ts";
import { createSending, SENDING_TABLES, SENT_TABLE } from "./sending.ts";

const MIGRATIONS = [QUEUE_TABLES, [SENT_TABLE], SENDING_TABLES];

/** Sends letters by itself, where there is no worker that does. */
export interface PostOffice {
  readonly post: Post;
  /** Begins to send what `identity` has to say when its program is served. */
  serve(identity: Pick<Identity, "letter">): Pick<Module<unknown>, "routes">;
}

/** Opens it: its queue is kept beside the program's own store, the same for all replicas. */
export async function openPostOffice(around: Surroundings): Promise<PostOffice> {
  const database = await openFromEnv(around.env, "post", MIGRATIONS);
  const queue = createSqlQueue(database, around.now);
  const note = noteTo(around);
  const mailer = mailerFromEnv(around);
  let wake = () => {};
  return {
    post: {
      async letter(id) {
        await queue.add(LETTER_JOB, letterKey(id), { letter: id });
        wake();
      },
    },
    serve: (identity) => ({
      routes({ onClose }) {
        onClose(() => database.close());
        if (!mailer) return note("mail-not-sent", { why: "SMTP_URL is not set" });
        const sending = createSending(database);
        const send = createSender({ sending, mailer, now: around.now, note });
        const handler = createLetterHandler(identity, send, around.env("SHOP_URL"));
        const settings = {
          ...LOOP_SETTINGS,
          pollMs: LETTERS_POLL_MS,
          touchMs: QUEUE_SETTINGS.leaseMs / 3,
        };
        const loop = startLoop(queue, { [LETTER_JOB]: handler }, settings, note);
        ({ wake } = loop);
        const forget = () =>
          queue.sweep().catch((error) => note("queue-trouble", { error: String(error) }));
        const timer = setInterval(forget, JOB_SWEEP_MS);
        onClose(() => clearInterval(timer));
        onClose(() => loop.stop());
      },
    }),
  };
}
