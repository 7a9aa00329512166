import { loadCart } from "../state/cart.ts";

/** Says that the cart cannot be read just now, which is not the same as an empty one. */
export function CartAway() {
  return (
    <div class="failed" role="status">
      <p>
        <strong>Your cart</strong> could not be loaded. It is kept, and will be back.
      </p>
      <button type="button" class="button quiet" onClick={loadCart}>Try again</button>
    </div>
  );
}
