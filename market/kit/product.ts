/** A product as the shop's API shows it; `price` in cents. */
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
  /** 1.0 to 5.0, one decimal. */
  readonly rating: number;
  readonly review_count: number;
  readonly image_url: string;
  readonly tags: readonly string[];
  readonly featured: boolean;
  /** Whether the shop carries it at present; how many are left is inventory-svc's to say. */
  readonly in_stock: boolean;
}

export interface CategorySummary {
  readonly id: string;
  readonly name: string;
  readonly count: number;
  readonly subcategories: readonly { readonly name: string; readonly count: number }[];
}
