// The cart of this browser: optimistic, one change after the other, rolled back when refused.

import { computed, signal } from "@preact/signals";
import { addToCart, ApiError, openCart, readCart, removeFromCart, setInCart } from "../api.ts";
import type { Cart, Product } from "../api_types.ts";
import {
  type CartChange,
  EMPTY_CART,
  type ProductGlimpse,
  quantityOf,
  viewCart,
} from "../lib/cart.ts";
import { notify } from "./notices.ts";
import { keep, recall } from "./storage.ts";

const KEY = "market.cart";

let session = recall(localStorage, KEY) ?? undefined;
let sending = false;

const confirmed = signal<Cart>(EMPTY_CART);
const pending = signal<readonly CartChange[]>([]);

/** `loading` until the service has told what is in a cart from an earlier visit. */
export const cartState = signal<"loading" | "ready" | "failed">(session ? "loading" : "ready");
/** The cart as shown: confirmed, with the changes on their way applied. */
export const cart = computed<Cart>(() => viewCart(confirmed.value, pending.value));
/** Whether a change is still on its way: an order must wait for it. */
export const cartBusy = computed(() => pending.value.length > 0);

/** Reads the cart of an earlier visit, or what another tab made of it. */
export async function loadCart(): Promise<void> {
  if (session === undefined || sending) return;
  if (cartState.value === "failed") cartState.value = "loading";
  try {
    const read = await readCart(session);
    if (!sending) confirmed.value = read;
    cartState.value = "ready";
  } catch (error) {
    if (isGone(error)) forgetCart();
    else if (cartState.value === "loading") cartState.value = "failed";
  }
}

/** Whether the shop knows a cart no more: it has expired, or is one of another shop at this address. */
function isGone(error: unknown): boolean {
  return error instanceof ApiError && ["not_found", "signed_out"].includes(error.code);
}

/** Starts with an empty cart: the old one was ordered or has expired. */
export function forgetCart(): void {
  session = undefined;
  keep(localStorage, KEY, undefined);
  confirmed.value = EMPTY_CART;
  cartState.value = "ready";
}

/** After an order: the service has emptied the cart, the page shows it. */
export function cartOrdered(): void {
  confirmed.value = { ...EMPTY_CART, session: confirmed.value.session };
  loadCart();
}

/** Adds pieces of a product, shown at once. */
export function addProduct(product: Product, quantity = 1): void {
  const glimpse: ProductGlimpse = {
    product_id: product.id,
    sku: product.sku,
    name: product.name,
    price: product.price,
    image_url: product.image_url,
    in_stock: product.in_stock,
  };
  change({ kind: "add", product: glimpse, quantity });
}

/** Queues a change; the cart shows it at once. */
export function change(next: CartChange): void {
  const queue = pending.value;
  const last = queue.at(-1);
  // Somebody clicking "+" five times means the last number; what is on its way stays.
  const replaces = queue.length > 1 && next.kind === "set" && last?.kind === "set" &&
    last.productId === next.productId;
  pending.value = replaces ? [...queue.slice(0, -1), next] : [...queue, next];
  if (!sending) sendAll();
}

async function sendAll(): Promise<void> {
  sending = true;
  while (pending.value.length > 0) {
    const next = pending.value[0]!;
    try {
      const answered = await send(next);
      confirmed.value = answered;
      cartState.value = "ready";
    } catch (error) {
      const why = error instanceof ApiError ? error.message : "Something went wrong.";
      notify("failed", `${sentence(next)} ${why}`, {
        label: "Try again",
        run: () => change(next),
      });
    }
    pending.value = pending.value.slice(1);
  }
  sending = false;
}

function sentence(failed: CartChange): string {
  switch (failed.kind) {
    case "add":
      return `${failed.product.name} was not added.`;
    case "set":
      return "The quantity was not changed.";
    case "remove":
      return "The item was not removed.";
    default:
      failed satisfies never;
      return "";
  }
}

async function send(next: CartChange): Promise<Cart> {
  const key = await ensureSession();
  try {
    return await sendTo(key, next);
  } catch (error) {
    if (!isGone(error)) throw error;
    // The cart has expired, or the line is gone (another tab): start from what the service has.
    const actual = await readCart(key).catch((failure) => {
      if (!isGone(failure)) throw failure;
      forgetCart();
      return undefined;
    });
    if (next.kind !== "add") return actual ?? EMPTY_CART;
    if (actual) throw error;
    return await sendTo(await ensureSession(), next);
  }
}

function sendTo(key: string, next: CartChange): Promise<Cart> {
  switch (next.kind) {
    case "add":
      return add(key, next.product.product_id, next.quantity);
    case "set":
      return next.quantity <= 0
        ? removeFromCart(key, next.productId)
        : setInCart(key, next.productId, next.quantity);
    case "remove":
      return removeFromCart(key, next.productId);
    default:
      next satisfies never;
      throw new Error("unknown cart change");
  }
}

/**
 * Adding twice is adding two, so a lost answer is not simply repeated: the cart is asked whether
 * the pieces have arrived, and only if not they are sent once more.
 */
async function add(key: string, productId: number, quantity: number): Promise<Cart> {
  const before = quantityOf(confirmed.value, productId);
  try {
    return await addToCart(key, productId, quantity);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "unavailable") throw error;
    const actual = await readCart(key);
    if (quantityOf(actual, productId) > before) return actual;
    return await addToCart(key, productId, quantity);
  }
}

async function ensureSession(): Promise<string> {
  if (session === undefined) {
    session = (await openCart()).session;
    keep(localStorage, KEY, session);
  }
  return session;
}

addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  session = event.newValue ?? undefined;
  loadCart();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") loadCart();
});
