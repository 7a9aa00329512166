import type {
  ConfirmedOrder,
  Identity,
  Products,
  Recommendations,
  Stock,
} from "../../kit/modules.ts";
import type { Documents } from "./documents.ts";
import { invoiceOf } from "./invoice.ts";
import type { Handler } from "./loop.ts";
import { confirmationOf, type Mailer } from "./mail.ts";
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
  /** Absent: confirmations are not sent, which is said. */
  readonly mailer?: Mailer;
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
  const { queue, documents, note } = needs;
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
    // Between the server's word that it has the mail and our note of it lies a moment. Who dies in
    // it sends the mail again, with the same Message-ID.
    async mail({ key, payload }) {
      const order = payload as ConfirmedOrder;
      if (await documents.wasSent(key)) return;
      if (!needs.mailer) return note("mail-not-sent", { key, why: "SMTP_URL is not set" });
      const to = await needs.identity.contact(order.user_id);
      await needs.mailer.send(confirmationOf(order, to, await invoice(order)));
      await documents.markSent(key, needs.now());
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
