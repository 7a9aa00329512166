// What the market's modules ask of each other. Who implements an interface, the module itself in the
// same process or `over_http.ts` for one elsewhere, is decided where a program is put together, and
// nowhere else. Both throw the same problems; only over HTTP a whole module can be away (503).

import type { KeySource } from "./keys.ts";
import type { Address } from "./people.ts";
import type { Product } from "./product.ts";
import type { RevocationSource } from "./revocations.ts";
import type { Kit } from "./service.ts";
import type { ServiceCheck } from "./service_auth.ts";

/** A part of the market: what it does for other parts, and what it answers to the world. */
export interface Module<Api> {
  readonly api: Api;
  /** Adds its routes, readiness and what it has to close; `ownServicesOnly` guards the internal. */
  routes(kit: Kit, ownServicesOnly: ServiceCheck): void;
}

/** product-svc: the catalogue. */
export interface Products {
  /** All products by id. */
  all(): Promise<ReadonlyMap<number, Product>>;
  /** Those of these ids (at most `BULK_IDS`) that exist, as they are now. */
  some(ids: readonly number[]): Promise<ReadonlyMap<number, Product>>;
  /** A product's picture, as SVG. @throws Problem 404 when there is no such product. */
  picture(id: number): Promise<string>;
}

/** Pieces of one product. */
export interface Pieces {
  readonly product_id: number;
  readonly quantity: number;
}

/** inventory-svc: how much there is. */
export interface Stock {
  /**
   * Takes all the items or none; the same `id` again takes nothing more.
   *
   * @throws Problem 409 on `items[N].quantity` with `product_id` and `available` when there is not
   * enough; 409 on `reservation_id` when that reservation has been released.
   */
  reserve(id: string, items: readonly Pieces[]): Promise<void>;
  /** Gives back what `id` holds; one that never came will take nothing late. */
  release(id: string): Promise<void>;
  /**
   * Orders more of what has run low, once for each `key`.
   *
   * @returns what was ordered.
   */
  reorder(key: string): Promise<readonly Pieces[]>;
}

/** cart-svc: what lies in the carts. */
export interface Carts {
  /** @throws Problem 401 when the session is not a cart's. */
  items(session: string): Promise<readonly Pieces[]>;
  clear(session: string): Promise<void>;
}

/** order-svc: who bought what. */
export interface Purchases {
  bought(user: string, product: number): Promise<boolean>;
}

/** An order that stands, as those hear of it who are told. Amounts in cents. */
export interface ConfirmedOrder {
  readonly id: string;
  readonly user_id: string;
  readonly items: readonly {
    readonly product_id: number;
    readonly sku: string;
    readonly name: string;
    readonly price: number;
    readonly quantity: number;
    readonly line_total: number;
  }[];
  readonly subtotal: number;
  readonly shipping: number;
  readonly tax: number;
  readonly total: number;
  readonly shipping_address: Omit<Address, "line2"> & { readonly line2?: string | undefined };
  /** ISO 8601. */
  readonly created_at: string;
}

/** Somebody who is told of confirmed orders: at least once each, so it must count each once. */
export interface OrderListener {
  confirmed(order: ConfirmedOrder): Promise<void>;
}

/** recommendation-svc: what goes with what. */
export interface Recommendations extends OrderListener {
  /** Computes the lists anew from what is kept. @returns of how many products. */
  rebuild(): Promise<number>;
}

/** Where a user can be written to. */
export interface Contact {
  readonly name: string;
  readonly email: string;
}

/** What a user is to be told about the account, by mail. */
export type Letter =
  /** With the token a new password can be chosen. */
  | { readonly kind: "reset"; readonly to: Contact; readonly token: string }
  /** The password was changed. */
  | { readonly kind: "changed"; readonly to: Contact };

/** Who sends letters: is told of each at least once, so it must send each once. */
export interface Post {
  /** @param id by which `Identity.letter` knows what is in it */
  letter(id: string): Promise<void>;
}

/** user-svc: who is who. */
export interface Identity {
  /** With what sessions are checked; may be kept for a while. */
  readonly keys: KeySource;
  /** Which sessions were called back before their end. */
  readonly revocations: RevocationSource;
  /** @throws Problem 404 when there is no such user. */
  contact(user: string): Promise<Contact>;
  /**
   * Writes a letter, each time with another token; undefined when there is nothing to say, or nobody
   * to say it to.
   */
  letter(id: string): Promise<Letter | undefined>;
}
