import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  applyChange,
  type CartChange,
  EMPTY_CART,
  PIECES,
  type ProductGlimpse,
  quantityOf,
  viewCart,
} from "./cart.ts";

const glimpse = (product_id: number, price = 250): ProductGlimpse => ({
  product_id,
  sku: `SKU-${product_id}`,
  name: `Thing ${product_id}`,
  price,
  image_url: `/api/products/${product_id}/image.svg`,
  in_stock: true,
});
const add = (product_id: number, quantity = 1): CartChange => ({
  kind: "add",
  product: glimpse(product_id),
  quantity,
});

Deno.test("applyChange() adds a line, then pieces to it", () => {
  const cart = [add(1), add(2, 3), add(1, 2)].reduce(applyChange, EMPTY_CART);
  assertEquals(cart.items.map((item) => [item.product_id, item.quantity, item.line_total]), [
    [1, 3, 750],
    [2, 3, 750],
  ]);
  assertEquals([cart.subtotal, cart.item_count], [1500, 6]);
});

Deno.test("applyChange() sets, caps and removes", () => {
  const cart = viewCart(EMPTY_CART, [add(1), { kind: "set", productId: 1, quantity: 500 }]);
  assertEquals(quantityOf(cart, 1), PIECES);
  assertEquals(applyChange(cart, { kind: "set", productId: 1, quantity: 0 }).items, []);
  assertEquals(applyChange(cart, { kind: "remove", productId: 1 }).subtotal, 0);
  assertEquals(applyChange(cart, { kind: "set", productId: 9, quantity: 2 }), cart);
});

Deno.test("viewCart() without a failed change is as if it had never been made", () => {
  const change = fc.oneof(
    fc.record({ id: fc.nat(3), quantity: fc.integer({ min: 1, max: 120 }) })
      .map(({ id, quantity }) => add(id, quantity)),
    fc.record({ id: fc.nat(3), quantity: fc.integer({ min: -2, max: 120 }) })
      .map(({ id, quantity }): CartChange => ({ kind: "set", productId: id, quantity })),
    fc.nat(3).map((id): CartChange => ({ kind: "remove", productId: id })),
  );
  fc.assert(fc.property(fc.array(change), fc.nat(20), (changes, failed) => {
    const kept = changes.filter((_, index) => index !== failed);
    const before = structuredClone(changes);
    const cart = viewCart(EMPTY_CART, kept);
    assertEquals(changes, before);
    assertEquals(cart.subtotal, cart.items.reduce((sum, i) => sum + i.price * i.quantity, 0));
    assertEquals(cart.item_count, cart.items.reduce((sum, i) => sum + i.quantity, 0));
    assertEquals(new Set(cart.items.map((i) => i.product_id)).size, cart.items.length);
    for (const item of cart.items) {
      if (item.quantity < 1 || item.quantity > PIECES) throw new Error(`${item.quantity} pieces`);
    }
  }));
});
