import { MAIL_TIMEOUT_MS } from "../../kit/limits.ts";
import type { ConfirmedOrder, Contact } from "../../kit/modules.ts";
import { money } from "./money.ts";

export interface Mail {
  readonly to: Contact;
  readonly subject: string;
  readonly text: string;
  /** The same for every try: a mailbox that gets it twice can tell. */
  readonly messageId: string;
  readonly attachment: { readonly name: string; readonly type: string; readonly bytes: Uint8Array };
}

export interface Mailer {
  /** Resolves when the server has taken the mail on. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/**
 * Sends by SMTP.
 *
 * @param url `smtp://user:password@host:587`, or `smtps://`
 * @param from the sender's address
 */
export function createMailer(url: string, from: string): Mailer {
  let transport: ReturnType<typeof open> | undefined;
  const open = async () => {
    // Imported when first needed: a worker is ready before it has anything to send.
    const { createTransport } = await import("nodemailer");
    return createTransport({
      url,
      pool: true,
      // One mail after another: what a kill can leave unheard is one.
      maxConnections: 1,
      connectionTimeout: MAIL_TIMEOUT_MS,
      greetingTimeout: MAIL_TIMEOUT_MS,
      socketTimeout: MAIL_TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  };
  return {
    async send({ to, subject, text, messageId, attachment }) {
      const opened = await (transport ??= open());
      await opened.sendMail({
        from,
        to: { name: to.name, address: to.email },
        subject,
        text,
        messageId,
        attachments: [{
          filename: attachment.name,
          contentType: attachment.type,
          content: Buffer.from(attachment.bytes),
        }],
      });
    },
    close() {
      transport?.then((opened) => opened.close(), () => {});
    },
  };
}

/** The mail that tells a buyer of an order that stands, with its invoice. */
export function confirmationOf(order: ConfirmedOrder, to: Contact, invoice: Uint8Array): Mail {
  const lines = order.items.map(({ quantity, name, line_total }) =>
    `${String(quantity).padStart(3)} x ${name}: ${money(line_total)}`
  );
  return {
    to,
    subject: `Your order ${order.id.slice(0, 8)} at SovereignMarket`,
    text: [
      `Dear ${to.name},`,
      "",
      "thank you for your order:",
      "",
      ...lines,
      "",
      `Shipping: ${money(order.shipping)}`,
      `Tax: ${money(order.tax)}`,
      `Total: ${money(order.total)}`,
      "",
      "The invoice is attached.",
      "",
    ].join("\n"),
    messageId: `<order-confirmed.${order.id}@sovereign-market.invalid>`,
    attachment: {
      name: `invoice-${order.id.slice(0, 8)}.pdf`,
      type: "application/pdf",
      bytes: invoice,
    },
  };
}
