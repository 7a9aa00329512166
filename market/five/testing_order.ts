/** An order as core-api hands it to the worker, without its id and its user. */
export const ORDER = {
  items: [{ product_id: 1, sku: "A-1", name: "Lamp", price: 500, quantity: 1, line_total: 500 }],
  ...{ subtotal: 500, shipping: 599, tax: 105, total: 1_204 },
  shipping_address: {
    name: "Ada Byron",
    line1: "1 Harbour Street",
    city: "Rotterdam",
    postal_code: "3011 AA",
    country: "NL",
  },
  created_at: "2026-01-17T12:00:00.000Z",
};
