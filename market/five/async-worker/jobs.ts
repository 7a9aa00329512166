import type {
  ConfirmedOrder,
  Identity,
  Products,
  Recommendations,
  Stock,
} from "../../kit/modules.ts";
import { MAIL_END_MS } from "../../kit/limits.ts";
import type { Documents } from "./documents.ts";
import { invoiceOf } from "./invoice.ts";
import type { Handler } from "./loop.ts";
import { confirmationOf, type Mailer, MailRefused } from "./mail.ts";
import { picturesOf } from "./pictures.ts";
import type { JobQueue } from "./queue.ts";

/** What others may queue; the rest the worker queues itself. */
export const KINDS_FROM_OUTSIDE = ["order-confirmed"] as const;

export interface JobNeeds {
  readonly queue: JobQueue;
  readonly documents: Documents;
  readonly identity: Pick<Identity, "contact">;
  readonly products: Pick<Products, "picture">;
  readonly stock: Pick<Stock, "reorder">;
  readonly recommendations: Pick<Recommendations, "rebuild">;
  /** Absent: confirmations go nowhere, which is said. */
  readonly mailer?: Mailer;
  now(): number;
  note(event: string, more: Record<string, unknown>): void;
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

/** Name of an order's invoice among the documents. */
export function invoiceName(order: string): string {
  return `invoice/${order}`;
}

/** Name of a picture among the documents; `file` is like `320.webp`. */
export function pictureName(product: number, file: string): string {
  return `picture/${product}/${file}`;
}

/** What is done about each kind of job; each may be asked for more than once. */
export function createHandlers(needs: JobNeeds): Readonly<Record<string, Handler>> {
  const { queue, documents, note } = needs;
  // One mail after another, from the first word to the note of it: a kill can leave only one of which
  // nobody knows whether it was taken on.
  const inTurn = createTurns();
  const invoice = async (order: ConfirmedOrder): Promise<Uint8Array> => {
    const name = invoiceName(order.id);
    const kept = await documents.find(name);
    if (kept) return kept.bytes;
    const bytes = await invoiceOf(order);
    await documents.keep(name, order.user_id, bytes);
    return bytes;
  };
  return {
    async "order-confirmed"({ payload }) {
      const order = payload as ConfirmedOrder;
      await queue.add("invoice", `invoice:${order.id}`, order);
      await queue.add("mail", `mail:${order.id}`, order);
    },
    async invoice({ payload }) {
      await invoice(payload as ConfirmedOrder);
    },
    async mail({ key, payload }, signal, allow) {
      const order = payload as ConfirmedOrder;
      const { mailer } = needs;
      if (!mailer) return note("mail-not-sent", { key, why: "SMTP_URL is not set" });
      const to = await needs.identity.contact(order.user_id);
      const mail = confirmationOf(order, to, await invoice(order));
      await inTurn(async () => {
        signal.throwIfAborted();
        const turn = await documents.begin(key, needs.now());
        if (!turn) return;
        if (turn.unsure) note("mail-again", { key, message_id: mail.messageId });
        const beforeEnd = async () => {
          signal.throwIfAborted();
          if (!await documents.ending(turn)) throw new Error("another worker has taken this on");
          // What may have been taken on is waited for; giving up would send it again.
          allow(MAIL_END_MS);
        };
        try {
          await mailer.send(mail, beforeEnd, signal);
        } catch (error) {
          if (error instanceof MailRefused) await documents.refused(turn);
          throw error;
        }
        await documents.sent(turn);
      });
    },
    async pictures({ payload }, signal) {
      const { product_id } = payload as { product_id: number };
      const svg = await needs.products.picture(product_id);
      for (const { file, bytes } of await picturesOf(svg, signal)) {
        await documents.keep(pictureName(product_id, file), "", bytes);
      }
    },
    async reorder({ key }) {
      const ordered = await needs.stock.reorder(key);
      if (ordered.length > 0) note("reordered", { key, products: ordered.length });
    },
    async rebuild() {
      note("rebuilt", { products: await needs.recommendations.rebuild() });
    },
  };
}
