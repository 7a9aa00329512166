// The typed client of the shop's services. Reads are repeated when a service is briefly away;
// writes only where repeating them cannot do a thing twice.

import type {
  Address,
  Cart,
  Category,
  List,
  NewReview,
  Order,
  OrderRequest,
  Product,
  ProductList,
  Recommendation,
  Review,
  ReviewList,
  SearchResult,
  SignedIn,
  Stock,
  User,
} from "./api_types.ts";

/** Where a failed request stands: what the page can do about it. */
export type ApiErrorCode =
  | "unavailable" // no answer, or 5xx: try again
  | "not_found"
  | "signed_out" // 401: sign in (again)
  | "forbidden"
  | "conflict"
  | "throttled"
  | "invalid"; // any other 4xx; `field` says which

/** A request that failed, in words for a shopper. */
export class ApiError extends Error {
  constructor(
    readonly code: ApiErrorCode,
    message: string,
    readonly status = 0,
    /** Path of the refused field, as the service names it: `shipping_address.city`. */
    readonly field: string | undefined = undefined,
    /** Pieces left, when an order wanted more. */
    readonly available: number | undefined = undefined,
    /** Sooner it is of no use to try again, in s. */
    readonly waitS: number | undefined = undefined,
  ) {
    super(message);
  }
}

/** Waits before a failed request is repeated, ms. */
const RETRY_WAITS_MS = [150, 450, 1200];
/** A read is taken from memory for this long; afterwards it is shown and fetched anew, ms. */
const FRESH_MS = 20_000;
const REMEMBERED = 80;
/** No service may hold a page longer than this, ms. */
const TIMEOUT_MS = 12_000;

interface Remembered {
  readonly value: unknown;
  readonly atMs: number;
}

const memory = new Map<string, Remembered>();
let bearer: string | undefined;

/** Sets the session every later request carries; forgets what was read as somebody else. */
export function useBearer(session: string | undefined): void {
  if (session === bearer) return;
  bearer = session;
  forget("/orders");
}

/** What is remembered of a read, and whether it is fresh enough not to be asked again. */
export function peek<T>(path: string): { value: T; fresh: boolean } | undefined {
  const found = memory.get(path);
  if (!found) return undefined;
  return { value: found.value as T, fresh: performance.now() - found.atMs < FRESH_MS };
}

/** Forgets reads whose path begins so: after a write that changes them. */
export function forget(prefix: string): void {
  for (const path of memory.keys()) if (path.startsWith(prefix)) memory.delete(path);
}

interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** Whether a repeat of this request changes nothing more than the first did. */
  readonly repeatable?: boolean;
}

/** One JSON request under `/api`. Throws `ApiError`, or the signal's reason when aborted. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const { method = "GET", repeatable = method === "GET" } = options;
  for (let attempt = 0;; attempt++) {
    try {
      return await once<T>(path, method, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      const wait = repeatable ? RETRY_WAITS_MS[attempt] : undefined;
      if (wait === undefined || !isUnavailable(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
      options.signal?.throwIfAborted();
    }
  }
}

async function once<T>(path: string, method: string, options: RequestOptions): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (bearer !== undefined) headers.authorization ??= `Bearer ${bearer}`;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(`/api${path}`, {
      method,
      headers,
      // A change that was shown as made must arrive even if its page is left meanwhile.
      keepalive: method !== "GET",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    answer = parsed(await response.text(), response.ok);
  } catch {
    throw new ApiError("unavailable", "The shop did not answer. Check your connection.");
  }
  if (response.ok) return answer as T;
  throw refusal(response, answer);
}

/** A body that is no JSON is fine only beside a status that says enough. */
function parsed(text: string, mustParse: boolean): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (mustParse) throw error;
    return undefined;
  }
}

function refusal({ status, headers }: Response, answer: unknown): ApiError {
  const said = (answer ?? {}) as { error?: unknown; field?: unknown; available?: unknown };
  const text = typeof said.error === "string" ? said.error : "The shop refused the request.";
  const field = typeof said.field === "string" ? said.field : undefined;
  const available = typeof said.available === "number" ? said.available : undefined;
  // Without a service behind it a path of its own is unknown.
  if (status >= 500 || (status === 404 && field === "path")) {
    return new ApiError("unavailable", "This part of the shop is not answering.", status);
  }
  const waitS = Number(headers.get("retry-after")) || undefined;
  return new ApiError(CODES[status] ?? "invalid", text, status, field, available, waitS);
}

const CODES: Readonly<Record<number, ApiErrorCode>> = {
  401: "signed_out",
  403: "forbidden",
  404: "not_found",
  408: "unavailable",
  409: "conflict",
  429: "throttled",
};

/** A read, remembered for `peek()`. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const value = await request<T>(path, { signal });
  remember(path, value);
  return value;
}

function remember(path: string, value: unknown): void {
  memory.delete(path);
  memory.set(path, { value, atMs: performance.now() });
  if (memory.size > REMEMBERED) {
    const oldest = memory.keys().next();
    if (!oldest.done) memory.delete(oldest.value);
  }
}

const id = encodeURIComponent;

/** The reads, as typed paths: `useRead(paths.product(17))`. */
export interface Read<T> {
  readonly path: string;
  /** Never set: carries the type of the answer. */
  readonly answer?: T;
}

export const reads = {
  products: (query: string): Read<ProductList> => ({ path: `/products${query}` }),
  product: (productId: string): Read<Product> => ({ path: `/products/${id(productId)}` }),
  categories: (): Read<List<Category>> => ({ path: "/categories" }),
  featured: (count: number): Read<List<Product>> => ({ path: `/featured?per_page=${count}` }),
  trending: (count: number): Read<List<Recommendation>> => ({
    path: `/trending?per_page=${count}`,
  }),
  recommendations: (productId: number, count: number): Read<List<Recommendation>> => ({
    path: `/recommendations/${productId}?per_page=${count}`,
  }),
  stock: (productId: number): Read<Stock> => ({ path: `/stock/${productId}` }),
  reviews: (productId: number, page: number, sort: string): Read<ReviewList> => ({
    path: `/reviews/${productId}?page=${page}&per_page=5&sort=${sort}`,
  }),
  search: (query: string): Read<SearchResult> => ({ path: `/search${query}` }),
  order: (orderId: string): Read<Order> => ({ path: `/orders/${id(orderId)}` }),
  orders: (userId: string, page: number): Read<List<Order>> => ({
    path: `/orders/user/${id(userId)}?page=${page}&per_page=10`,
  }),
};

/** A fresh cart's key. Repeating it leaves at most an unused empty cart. */
export const openCart = (): Promise<{ session: string }> =>
  request("/session", { method: "POST", repeatable: true });

export const readCart = (session: string): Promise<Cart> => request(`/cart/${id(session)}`);

/** Adds pieces. Not repeatable: twice sent is twice added. */
export const addToCart = (session: string, productId: number, quantity: number): Promise<Cart> =>
  request(`/cart/${id(session)}/items`, {
    method: "POST",
    body: { product_id: productId, quantity },
  });

export const setInCart = (session: string, productId: number, quantity: number): Promise<Cart> =>
  request(`/cart/${id(session)}/items/${productId}`, {
    method: "PATCH",
    body: { quantity },
    repeatable: true,
  });

export const removeFromCart = (session: string, productId: number): Promise<Cart> =>
  request(`/cart/${id(session)}/items/${productId}`, { method: "DELETE", repeatable: true });

/** Places an order. Repeatable because of its key: the service answers the first order again. */
export const placeOrder = (order: OrderRequest, idempotencyKey: string): Promise<Order> =>
  request("/orders", {
    method: "POST",
    body: order,
    headers: { "idempotency-key": idempotencyKey },
    repeatable: true,
  });

/**
 * A new account. When the answer is lost the account may exist: then its owner can sign in, and
 * only if not it is made once more.
 */
export async function register(body: { email: string; password: string; name: string }) {
  const create = () => request<SignedIn>("/register", { method: "POST", body });
  try {
    return await create();
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    const { email, password } = body;
    return await login({ email, password }).catch((failure) => {
      if (failure instanceof ApiError && failure.code === "signed_out") return create();
      throw failure;
    });
  }
}

export const login = (body: { email: string; password: string }) =>
  request<SignedIn>("/login", { method: "POST", body, repeatable: true });

/**
 * Another password: ends every other session of the user and answers a new one for this device. When
 * the answer is lost the new password may hold already: then it signs in, and only if not it is
 * asked for once more.
 */
export async function changePassword(
  email: string,
  body: { password: string; new_password: string },
): Promise<SignedIn> {
  const change = () => request<SignedIn>("/password", { method: "POST", body });
  try {
    return await change();
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return await login({ email, password: body.new_password }).catch((failure) => {
      if (failure instanceof ApiError && failure.code === "signed_out") return change();
      throw failure;
    });
  }
}

/**
 * Has a mail sent to who has forgotten the password. Repeatable: two mails are as good as one.
 *
 * @returns for how long what is in it is good, s
 */
export async function forgotPassword(email: string): Promise<number> {
  const body = { email };
  const options = { method: "POST", body, repeatable: true };
  return (await request<{ valid_for_s: number }>("/forgot", options)).valid_for_s;
}

/**
 * Another password by the token of such a mail. It is good once: when the answer is lost, and it is
 * good no more, nobody can say whether this was the time.
 *
 * @throws {ApiError} `conflict` then.
 */
export async function resetPassword(body: { token: string; new_password: string }): Promise<void> {
  const options = { method: "POST", body };
  try {
    await request("/reset", options);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    await request("/reset", { ...options, repeatable: true }).catch((failure) => {
      if (!(failure instanceof ApiError && failure.field === "token")) throw failure;
      throw new ApiError("conflict", "Your new password may hold already: sign in with it.");
    });
  }
}

/** Ends a session, or all that its user has; one that has ended already is as good. */
export async function logout(session: string, everywhere: boolean): Promise<void> {
  try {
    await request(everywhere ? "/logout/everywhere" : "/logout", {
      method: "POST",
      // By now the page may be somebody else's.
      headers: { authorization: `Bearer ${session}` },
      repeatable: true,
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "signed_out")) throw error;
  }
}

/** Saves name and address. Repeatable: it says how things are, not what to add. */
export const saveProfile = (userId: string, body: { name: string; address: Address }) =>
  request<User>(`/profile/${id(userId)}`, { method: "PUT", body, repeatable: true });

/**
 * Publishes a review; undefined when the answer to it was lost and the service, asked again, had
 * it already.
 */
export async function postReview(productId: number, body: NewReview): Promise<Review | undefined> {
  const post = () => request<Review>(`/reviews/${productId}`, { method: "POST", body });
  try {
    return await post().catch((error) => {
      if (!isUnavailable(error)) throw error;
      return post().catch((second) => {
        if (second instanceof ApiError && second.code === "conflict") return undefined;
        throw second;
      });
    });
  } finally {
    forget(`/reviews/${productId}`);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ApiError && error.code === "unavailable";
}

/** Says that a product was looked at. Nobody waits for it and nobody misses it. */
export function reportView(productId: number): void {
  request("/events", { method: "POST", body: { type: "view", product_id: productId } })
    .catch(() => undefined);
}
