import type { Costs } from "../../services/order-svc/price.ts";
import { formatMoney } from "../lib/money.ts";

/** What an order costs, line by line. */
export function Totals({ of }: { of: Costs }) {
  return (
    <dl class="totals">
      <div>
        <dt>Subtotal</dt>
        <dd>{formatMoney(of.subtotal)}</dd>
      </div>
      <div>
        <dt>Shipping</dt>
        <dd>{of.shipping === 0 ? "Free" : formatMoney(of.shipping)}</dd>
      </div>
      <div>
        <dt>Tax</dt>
        <dd>{formatMoney(of.tax)}</dd>
      </div>
      <div class="total">
        <dt>Total</dt>
        <dd>{formatMoney(of.total)}</dd>
      </div>
    </dl>
  );
}
