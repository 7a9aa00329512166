import type { Mail } from "../../kit/mail/mail.ts";
import type { ConfirmedOrder, Contact } from "../../kit/modules.ts";
import { money } from "./money.ts";

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
