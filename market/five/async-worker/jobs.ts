import type { Handler } from "../../kit/jobs/loop.ts";
import type { JobQueue } from "../../kit/jobs/queue.ts";
import { createLetterHandler, LETTER_JOB } from "../../kit/mail/letters.ts";
import type { Mailer } from "../../kit/mail/mail.ts";
import { createSender, type Sender } from "../../kit/mail/sender.ts";
import type { Sending } from "../../kit/mail/sending.ts";
import type {
  ConfirmedOrder,
  Identity,
  Products,
  Recommendations,
  Stock,
} from "../../kit/modules.ts";
import { confirmationOf } from "./confirmation.ts";
import type { Documents } from "./documents.ts";
import { invoiceOf } from "./invoice.ts";
import { picturesOf } from "./pictures.ts";

/** What others may queue; the rest the worker queues itself. */
export const KINDS_FROM_OUTSIDE = ["order-confirmed", LETTER_JOB] as const;

export interface JobNeeds {
  readonly queue: JobQueue;
  readonly documents: Documents;
  readonly sending: Sending;
  readonly identity: Pick<Identity, "contact" | "letter">;
  readonly products: Pick<Products, "picture">;
  readonly stock: Pick<Stock, "reorder">;
  readonly recommendations: Pick<Recommendations, "rebuild">;
  /** Absent: mails go nowhere, which is said. */
  readonly mailer?: Mailer;
  /** Where the shop is, for links in mails. */
  readonly shop?: string;
  now(): number;
  note(event: string, more: Record<string, unknown>): void;
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
  const { queue, documents, mailer, note } = needs;
  const send: Sender = mailer
    ? createSender({ ...needs, mailer })
    : (key) => Promise.resolve(note("mail-not-sent", { key, why: "SMTP_URL is not set" }));
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
      const to = await needs.identity.contact(order.user_id);
      await send(key, confirmationOf(order, to, await invoice(order)), signal, allow);
    },
    [LETTER_JOB]: createLetterHandler(needs.identity, send, needs.shop),
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
