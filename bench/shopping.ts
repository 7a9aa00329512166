// Scripted shoppers: each looks at pages, fills a cart and checks out, over and over, by the same
// requests whatever the shop consists of. A closed loop: a shopper asks when the last is answered.

interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** What became of the visits. */
export interface ShoppingResult {
  /** One page: product, its stock, reviews and recommendations, all there; ms. */
  readonly pagesMs: readonly number[];
  /** One order of what lies in a cart; ms. */
  readonly checkoutsMs: readonly number[];
  readonly requests: number;
  readonly orders: readonly string[];
  /** Each kind of failure with its number. */
  readonly failures: ReadonlyMap<string, number>;
  readonly seconds: number;
}

const ADDRESS = {
  name: "Ada Byron",
  line1: "1 Harbour Street",
  city: "Rotterdam",
  postal_code: "3011 AA",
  country: "NL",
};
/** Pages that a shopper looks at before each checkout. */
const PAGES = 8;
/** Products of which there is plenty, one for each shopper in turn. */
const PRODUCTS = 500;

// deno-lint-ignore no-explicit-any
type Answer = { readonly status: number; readonly body: any };

/** One shopper with an account of their own. */
export class Shopper {
  readonly #target: Target;
  #session = "";
  userId = "";
  requests = 0;

  private constructor(target: Target) {
    this.#target = target;
  }

  /** Opens an account. */
  static async register(target: Target): Promise<Shopper> {
    const shopper = new Shopper(target);
    const email = `shopper.${crypto.randomUUID()}@example.org`;
    const { status, body } = await shopper.ask("POST", "/api/register", {
      email,
      name: "Ada Byron",
      password: "a long sentence",
    });
    if (status !== 201) throw new Error(`register: ${status} ${body?.error}`);
    shopper.#session = body.session;
    shopper.userId = body.user.id;
    return shopper;
  }

  /** Sends one request with the shopper's session. */
  async ask(method: "GET" | "POST", path: string, json?: unknown): Promise<Answer> {
    this.requests++;
    const text = json === undefined ? undefined : JSON.stringify(json);
    const { hostname, port } = this.#target;
    const response = await fetch(`http://${hostname}:${port}${path}`, {
      method,
      headers: {
        ...(this.#session ? { authorization: `Bearer ${this.#session}` } : {}),
        ...(text === undefined ? {} : { "content-type": "application/json" }),
      },
      body: text,
      signal: AbortSignal.timeout(15_000),
    });
    const answered = await response.text();
    return {
      status: response.status,
      body: answered.startsWith("{") ? JSON.parse(answered) : undefined,
    };
  }

  /** What the front asks for when a product's page is opened, at once. */
  async page(product: number): Promise<void> {
    const paths = ["products", "stock", "reviews", "recommendations"]
      .map((word) => `/api/${word}/${product}`);
    const answers = await Promise.all(paths.map((path) => this.ask("GET", path)));
    const bad = answers.findIndex(({ status }) => status !== 200);
    if (bad >= 0) throw new Error(`${paths[bad]!.split("/")[2]}: ${answers[bad]!.status}`);
  }

  /** A cart with one piece of a product in it. */
  async cart(product: number): Promise<string> {
    const opened = await this.ask("POST", "/api/session");
    const { session } = opened.body;
    const added = await this.ask("POST", `/api/cart/${session}/items`, {
      product_id: product,
      quantity: 1,
    });
    if (added.status !== 201) throw new Error(`cart: ${added.status}`);
    return session;
  }

  /** Orders what lies in a cart. @returns the order's id; undefined when it is sold out. */
  async checkOut(cart: string): Promise<string | undefined> {
    const { status, body } = await this.ask("POST", "/api/orders", {
      cart_session: cart,
      shipping_address: ADDRESS,
      idempotency_key: crypto.randomUUID(),
    });
    if (status === 409) return undefined;
    if (status !== 201 && status !== 200) throw new Error(`orders: ${status}`);
    return body.id;
  }
}

/** Lets these shoppers shop for a time. */
export async function shop(
  all: readonly Shopper[],
  seconds: number,
): Promise<ShoppingResult> {
  const pagesMs: number[] = [];
  const checkoutsMs: number[] = [];
  const orders: string[] = [];
  const failures = new Map<string, number>();
  const before = all.reduce((sum, each) => sum + each.requests, 0);
  const begunMs = performance.now();
  const endMs = begunMs + seconds * 1_000;
  const timed = async <T>(into: number[], work: () => Promise<T>): Promise<T | undefined> => {
    const startMs = performance.now();
    try {
      const done = await work();
      into.push(performance.now() - startMs);
      return done;
    } catch (error) {
      const why = (error as Error).message;
      failures.set(why, (failures.get(why) ?? 0) + 1);
    }
  };
  await Promise.all(all.map(async (shopper, who) => {
    for (let turn = who * 61; performance.now() < endMs; turn++) {
      for (let page = 0; page < PAGES && performance.now() < endMs; page++) {
        const product = (turn * PAGES + page) * 7 % PRODUCTS + 1;
        await timed(pagesMs, () => shopper.page(product));
      }
      const cart = await timed([], () => shopper.cart(turn * 7 % PRODUCTS + 1));
      if (!cart) continue;
      const order = await timed(checkoutsMs, () => shopper.checkOut(cart));
      if (order) orders.push(order);
    }
  }));
  const requests = all.reduce((sum, each) => sum + each.requests, 0) - before;
  const tookS = (performance.now() - begunMs) / 1_000;
  return { pagesMs, checkoutsMs, requests, orders, failures, seconds: tookS };
}
