// The pages and the addresses they live at. Each is loaded when it is first gone to.

import type { FunctionComponent } from "preact";
import type { PageProps } from "./parts/page.tsx";

export interface Page {
  readonly default: FunctionComponent<PageProps>;
}

export interface Route {
  readonly pattern: string;
  /** Whether it needs the style sheet of the inner pages. */
  readonly inner: boolean;
  load(): Promise<Page>;
}

export const ROUTES: readonly Route[] = [
  { pattern: "/", inner: false, load: () => import("./routes/home.tsx") },
  { pattern: "/catalog", inner: true, load: () => import("./routes/catalog.tsx") },
  { pattern: "/search", inner: true, load: () => import("./routes/search.tsx") },
  { pattern: "/product/:id", inner: true, load: () => import("./routes/product.tsx") },
  { pattern: "/cart", inner: true, load: () => import("./routes/cart.tsx") },
  { pattern: "/checkout", inner: true, load: () => import("./routes/checkout.tsx") },
  { pattern: "/orders", inner: true, load: () => import("./routes/orders.tsx") },
  { pattern: "/orders/:id", inner: true, load: () => import("./routes/order.tsx") },
  { pattern: "/password", inner: true, load: () => import("./routes/password.tsx") },
  { pattern: "/forgot", inner: true, load: () => import("./routes/forgot.tsx") },
  { pattern: "/reset", inner: true, load: () => import("./routes/reset.tsx") },
  { pattern: "/sign-in", inner: true, load: () => import("./routes/sign_in.tsx") },
];

export const NOT_FOUND: Route = {
  pattern: "",
  inner: true,
  load: () => import("./routes/not_found.tsx"),
};
