// The cart as the shopper sees it: what the service confirmed, with the changes still on their way
// applied. A change that fails is taken out again, and with it its effect.

import type { Cart, CartItem } from "../api_types.ts";

/** Most pieces of one product in a cart; cart-svc refuses more. */
export const PIECES = 99;

/** What a change shows until the service has answered it. */
export type ProductGlimpse = Pick<
  CartItem,
  "product_id" | "sku" | "name" | "price" | "image_url" | "in_stock"
>;

export type CartChange =
  | { readonly kind: "add"; readonly product: ProductGlimpse; readonly quantity: number }
  | { readonly kind: "set"; readonly productId: number; readonly quantity: number }
  | { readonly kind: "remove"; readonly productId: number };

export const EMPTY_CART: Cart = { session: "", items: [], subtotal: 0, item_count: 0 };

/** The confirmed cart with all pending changes applied in order. */
export function viewCart(confirmed: Cart, pending: readonly CartChange[]): Cart {
  return pending.reduce(applyChange, confirmed);
}

/** The cart after one change. Quantities stay within 1 to `PIECES`; zero removes. */
export function applyChange(cart: Cart, change: CartChange): Cart {
  switch (change.kind) {
    case "add": {
      const { product, quantity } = change;
      const known = cart.items.some((item) => item.product_id === product.product_id);
      if (known) {
        return withItems(
          cart,
          cart.items.map((item) =>
            item.product_id === product.product_id ? priced(item, item.quantity + quantity) : item
          ),
        );
      }
      return withItems(cart, [...cart.items, priced(product, quantity)]);
    }
    case "set":
      if (change.quantity <= 0) {
        return applyChange(cart, { kind: "remove", productId: change.productId });
      }
      return withItems(
        cart,
        cart.items.map((item) =>
          item.product_id === change.productId ? priced(item, change.quantity) : item
        ),
      );
    case "remove":
      return withItems(cart, cart.items.filter((item) => item.product_id !== change.productId));
    default:
      change satisfies never;
      return cart;
  }
}

/** Pieces of a product in the cart. */
export function quantityOf(cart: Cart, productId: number): number {
  return cart.items.find((item) => item.product_id === productId)?.quantity ?? 0;
}

function priced(product: ProductGlimpse, wanted: number): CartItem {
  const quantity = Math.min(PIECES, Math.max(1, wanted));
  return { ...product, quantity, line_total: product.price * quantity };
}

function withItems(cart: Cart, items: readonly CartItem[]): Cart {
  return {
    ...cart,
    items,
    subtotal: items.reduce((sum, item) => sum + item.line_total, 0),
    item_count: items.reduce((sum, item) => sum + item.quantity, 0),
  };
}
