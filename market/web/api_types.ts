// The shapes the nine services answer with; market/README.md is their description.
// Money is integer cents, times are ISO 8601 in UTC.

/** One page of a list. */
export interface List<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly per_page: number;
  readonly total: number;
  readonly total_pages: number;
}

export interface Product {
  readonly id: number;
  readonly sku: string;
  readonly name: string;
  readonly description: string;
  readonly price: number;
  readonly category: string;
  readonly category_id: string;
  readonly subcategory: string;
  readonly brand: string;
  readonly rating: number;
  readonly review_count: number;
  readonly image_url: string;
  readonly tags: readonly string[];
  readonly featured: boolean;
  readonly in_stock: boolean;
}

export interface NameCount {
  readonly name: string;
  readonly count: number;
}

export interface ProductList extends List<Product> {
  readonly brands: readonly NameCount[];
}

export interface Category {
  readonly id: string;
  readonly name: string;
  readonly count: number;
  readonly subcategories: readonly NameCount[];
}

export interface Stock {
  readonly product_id: number;
  readonly available: number;
  readonly warehouse: string;
  readonly status: "in_stock" | "low_stock" | "out_of_stock";
}

/** A piece of a field's text; `hit` where the query matched. */
export interface Segment {
  readonly text: string;
  readonly hit: boolean;
}

export interface Hit extends Product {
  readonly score: number;
  readonly highlights: {
    readonly name?: readonly Segment[];
    readonly description?: readonly Segment[];
  };
}

export interface FacetValue {
  readonly value: string;
  readonly count: number;
}

export interface PriceFacet {
  readonly min: number;
  /** Null in the last, open step. */
  readonly max: number | null;
  readonly count: number;
}

export interface SearchResult extends List<Hit> {
  readonly facets: {
    readonly category: readonly FacetValue[];
    readonly brand: readonly FacetValue[];
    readonly price: readonly PriceFacet[];
  };
  readonly corrections: readonly { readonly from: string; readonly to: string }[];
}

export interface CartItem {
  readonly product_id: number;
  readonly sku: string;
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
  readonly line_total: number;
  readonly image_url: string;
  readonly in_stock: boolean;
}

export interface Cart {
  readonly session: string;
  readonly items: readonly CartItem[];
  readonly subtotal: number;
  readonly item_count: number;
}

export interface Address {
  readonly name: string;
  readonly line1: string;
  readonly line2?: string;
  readonly city: string;
  readonly postal_code: string;
  /** ISO 3166 alpha-2. */
  readonly country: string;
}

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly created_at: string;
  readonly address: Address | null;
}

export interface SignedIn {
  readonly user: User;
  readonly session: string;
  readonly expires_at: string;
}

export type ShippingMethod = "standard" | "express";

export interface OrderRequest {
  readonly cart_session: string;
  readonly shipping_address: Address;
  readonly shipping_method: ShippingMethod;
}

export interface OrderItem {
  readonly product_id: number;
  readonly sku: string;
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
  readonly line_total: number;
  readonly image_url: string;
}

export interface Order {
  readonly id: string;
  readonly user_id: string;
  readonly status: string;
  readonly items: readonly OrderItem[];
  readonly subtotal: number;
  readonly shipping: number;
  readonly tax: number;
  readonly total: number;
  readonly shipping_method: ShippingMethod;
  readonly shipping_address: Address;
  readonly created_at: string;
}

export interface Review {
  readonly id: string;
  readonly product_id: number;
  readonly author: string;
  readonly rating: number;
  readonly title: string;
  readonly body: string;
  readonly verified: boolean;
  readonly created_at: string;
}

export interface ReviewList extends List<Review> {
  readonly average_rating: number | null;
  readonly review_count: number;
  readonly distribution: Readonly<Record<"1" | "2" | "3" | "4" | "5", number>>;
}

export interface NewReview {
  readonly rating: number;
  readonly title: string;
  readonly body: string;
}

export interface Recommendation extends Product {
  readonly reason: "bought_together" | "viewed_together" | "same_category" | "trending" | "popular";
}
