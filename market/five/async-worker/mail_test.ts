import { assert, assertEquals, assertMatch } from "@std/assert";
import { LOOP_SETTINGS, startLoop } from "../../kit/jobs/loop.ts";
import { type JobQueue, QUEUE_SETTINGS } from "../../kit/jobs/queue.ts";
import { createSqlQueue, QUEUE_TABLES } from "../../kit/jobs/queue_sql.ts";
import { OUTBOX_MAILS } from "../../kit/limits.ts";
import { createMailer, type Mail, type Mailer } from "../../kit/mail/mail.ts";
import { createOutbox } from "../../kit/mail/outbox.ts";
import { createSending, type Sending, SENDING_TABLES } from "../../kit/mail/sending.ts";
import { eventually } from "../../kit/testing.ts";
import { eachStore, openAt } from "../../kit/testing_stores.ts";
import { ORDER } from "../testing_order.ts";
import { type SmtpHooks, startSmtp, type TestSmtp } from "../testing_smtp.ts";
import { createDocuments, DOCUMENT_TABLES } from "./documents.ts";
import { createHandlers } from "./jobs.ts";

// How often a mail is sent: the handler, the queue, a real mail server that is slow, refuses, or
// hangs up, and another worker that takes the same mail on.

const MIGRATIONS = [DOCUMENT_TABLES, QUEUE_TABLES, SENDING_TABLES];
const TRY_MS = 300;
// nodemailer keeps sockets of its own for a while.
const LOOSE = { sanitizeOps: false, sanitizeResources: false };

interface Bench {
  readonly smtp: TestSmtp;
  readonly queue: JobQueue;
  readonly sending: Sending;
  /** Events that were noted, `mail-again` and the like. */
  readonly noted: string[];
  /** Queues the mail of an order; its key. */
  order(): Promise<string>;
  /** All are done, none is dead. */
  done(): Promise<void>;
}

async function withMails(
  hooks: (bench: () => Bench) => SmtpHooks,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  let bench: Bench | undefined;
  const smtp = await startSmtp(hooks(() => bench!));
  const database = await openAt({ folder }, { name: "async-worker", migrations: MIGRATIONS });
  const queue = createSqlQueue(database, Date.now, { ...QUEUE_SETTINGS, backoffMs: 10 });
  const sending = createSending(database);
  const noted: string[] = [];
  const none = () => Promise.reject(new Error("nobody asks for this here"));
  const handlers = createHandlers({
    queue,
    documents: createDocuments(database),
    sending,
    identity: {
      contact: () => Promise.resolve({ name: "Ada Byron", email: "ada@shop.test" }),
      letter: none,
    },
    products: { picture: none },
    stock: { reorder: none },
    recommendations: { rebuild: none },
    mailer: createMailer(smtp.url, "orders@shop.test"),
    now: Date.now,
    note: (event) => void noted.push(event),
  });
  const settings = { ...LOOP_SETTINGS, timeoutMs: TRY_MS, pollMs: 10, touchMs: 100 };
  const loop = startLoop(queue, handlers, settings, () => {});
  try {
    bench = {
      ...{ smtp, queue, sending, noted },
      async order() {
        const id = crypto.randomUUID();
        await queue.add("mail", `mail:${id}`, { ...ORDER, id, user_id: "user-1" });
        loop.wake();
        return `mail:${id}`;
      },
      done: () =>
        eventually("all is done", async () => {
          const { waiting, running } = await queue.counts();
          return waiting + running === 0;
        }),
    };
    await test(bench);
    assertEquals((await queue.counts()).dead, 0);
  } finally {
    await loop.stop();
    await database.close();
    await smtp.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test({
  name: "a server that takes long to say that it has a mail gets it once, and none twice in line",
  ...LOOSE,
}, () => {
  const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 3 * TRY_MS));
  return withMails(() => ({ taken: slow }), async ({ smtp, order, done, noted }) => {
    // The second waits longer for its turn than a try may take.
    await order();
    await order();
    await done();
    assertEquals([smtp.mails.length, smtp.ids().length], [2, 2]);
    assertEquals(noted, []);
  });
});

Deno.test(
  { name: "a mail that is refused is tried again, and was never in doubt", ...LOOSE },
  () => {
    let refused = 0;
    const arriving = () => {
      if (refused++ === 0) throw new Error("not now");
    };
    return withMails(() => ({ arriving }), async ({ smtp, order, done, noted }) => {
      await order();
      await done();
      assertEquals([refused, smtp.mails.length, noted], [2, 1, []]);
    });
  },
);

Deno.test({
  name: "a server that takes a mail on and hangs up gets it again, which is said",
  ...LOOSE,
}, () => {
  let hung = 0;
  const taken = () => hung++ === 0 ? "hang up" : undefined;
  return withMails(() => ({ taken }), async ({ smtp, order, done, noted }) => {
    await order();
    await done();
    assertEquals([smtp.mails.length, smtp.ids().length, noted], [2, 1, ["mail-again"]]);
  });
});

Deno.test({
  name: "who was overtaken by another worker does not end its mail",
  ...LOOSE,
}, () => {
  let key = "";
  let overtaken = 0;
  const hooks = (bench: () => Bench) => ({
    async addressed() {
      if (overtaken++ === 0) assert(await bench().sending.begin(key, Date.now()));
    },
  });
  return withMails(hooks, async ({ smtp, order, done, noted }) => {
    key = await order();
    await done();
    assertEquals([overtaken, smtp.mails.length, noted], [2, 1, []]);
  });
});

eachStore("of what is sent is known whether it was, was not, or may have been", async (place) => {
  const database = await openAt(place, { name: "async-worker", migrations: MIGRATIONS });
  try {
    const { begin, ending, refused, sent } = createSending(database);
    const first = (await begin("mail:1", 1))!;
    assertEquals(first.unsure, false);
    const second = (await begin("mail:1", 2))!;
    assertEquals([second.unsure, await ending(first)], [false, false], "the first was overtaken");
    assertEquals(await ending(second), true);
    await refused(second);
    const third = (await begin("mail:1", 3))!;
    assertEquals([third.unsure, await ending(third)], [false, true]);
    const fourth = (await begin("mail:1", 4))!;
    assertEquals([fourth.unsure, await ending(fourth)], [true, true]);
    await refused(fourth);
    const fifth = (await begin("mail:1", 5))!;
    assertEquals(fifth.unsure, true, "what one try knows says nothing of the one before");
    await sent(fifth);
    assertEquals([await begin("mail:1", 6), await ending(fifth)], [undefined, false]);
    assertEquals((await begin("mail:2", 7))!.unsure, false, "another is another");
  } finally {
    await database.close();
  }
});

const MAIL: Mail = {
  to: { name: "Ada Byron", email: "ada@shop.test" },
  subject: "Your order",
  text: "Dear Ada",
  messageId: "<order-confirmed.1@shop.test>",
  attachment: { name: "invoice.pdf", type: "application/pdf", bytes: new Uint8Array([1, 2, 3]) },
};

async function withOutbox(
  test: (mailer: Mailer, folder: string, written: string[]) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const written: string[] = [];
  try {
    const at = `${folder}/outbox`;
    await test(createOutbox(at, "a@shop.test", (file) => void written.push(file)), at, written);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const never = () => Promise.reject(new Error("nothing is in doubt here"));
const go = new AbortController().signal;

Deno.test("createOutbox() makes a file of a mail, one however often it is written", () =>
  withOutbox(async (mailer, folder, written) => {
    await Promise.all([mailer.send(MAIL, never, go), mailer.send(MAIL, never, go)]);
    const file = `${folder}/order-confirmed.1@shop.test.eml`;
    assertEquals(written, [file, file]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`), [file]);
    const text = Deno.readTextFileSync(file);
    assertMatch(text, /^To: Ada Byron <ada@shop.test>\r$/m);
    assertMatch(text, /^Message-ID: <order-confirmed.1@shop.test>\r$/m);
    assertMatch(text, /^Content-Type: application\/pdf/m);
  }));

Deno.test("createOutbox() keeps the newest and no more", () =>
  withOutbox(async (mailer, folder) => {
    Deno.mkdirSync(folder);
    for (let at = 0; at < OUTBOX_MAILS; at++) {
      Deno.writeTextFileSync(`${folder}/${at}.eml`, "");
      Deno.utimeSync(`${folder}/${at}.eml`, at + 1, at + 1);
    }
    await mailer.send(MAIL, never, go);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names.length, OUTBOX_MAILS);
    assert(!names.includes("0.eml") && names.includes("1.eml"));
    assert(names.includes("order-confirmed.1@shop.test.eml"));
  }));
