import { eachStore, placeEnv, type StorePlace } from "./kit/testing_stores.ts";
import { fixedName } from "./kit/directory.ts";
import type { Service, Surroundings } from "./kit/service.ts";
import {
  type Answer,
  ask,
  eventually,
  type TestSurroundings,
  testSurroundings,
} from "./kit/testing.ts";
import { createCartService } from "./services/cart-svc/service.ts";
import { createFrontendService } from "./services/frontend-svc/service.ts";
import { createInventoryService } from "./services/inventory-svc/service.ts";
import { createOrderService } from "./services/order-svc/service.ts";
import { createProductService } from "./services/product-svc/service.ts";
import { createRecommendationService } from "./services/recommendation-svc/service.ts";
import { createReviewService } from "./services/review-svc/service.ts";
import { createSearchService } from "./services/search-svc/service.ts";
import { createUserService } from "./services/user-svc/service.ts";
import { createAsyncWorker, type WorkerOptions } from "./five/async-worker/service.ts";
import { createTelemetrySink } from "./five/telemetry-sink/service.ts";
import { createCoreApi } from "./five/core-api/service.ts";
import { createIdentityProvider } from "./five/identity-provider/service.ts";
import { type ProgramName, programOf, type ServiceName, type Shape, SHAPES } from "./launch.ts";

// The whole market in one process, handlers only: services reach each other through a `fetch` that
// knows their names. A service can be taken away and brought back, and time can be moved.

/** Hashing at its cheapest: what is tested is that it happens, not how long it takes. */
const CHEAP = { cost: 2, blocks: 1, parallel: 1 };

/** Orders left half-way, and letters, are looked for often, so that no test waits for that. */
const SWEEP_MS = 20;

type Create = (around: Surroundings) => Service | Promise<Service>;

const CREATE: Readonly<Record<ProgramName, Create>> = {
  "product-svc": createProductService,
  "inventory-svc": createInventoryService,
  "search-svc": createSearchService,
  "cart-svc": createCartService,
  "order-svc": (around) => createOrderService(around, SWEEP_MS),
  "user-svc": (around) => createUserService(around, { cost: CHEAP, sweepMs: SWEEP_MS }),
  "review-svc": createReviewService,
  "recommendation-svc": createRecommendationService,
  "frontend-svc": (around) => createFrontendService(around),
  "core-api": (around) => createCoreApi(around, { sweepMs: SWEEP_MS }),
  "identity-provider": (around) =>
    createIdentityProvider(around, { cost: CHEAP, sweepMs: SWEEP_MS }),
  "async-worker": (around) => createAsyncWorker(around),
  "telemetry-sink": createTelemetrySink,
};

export interface Given {
  readonly json?: unknown;
  readonly raw?: BodyInit;
  readonly session?: string;
  readonly headers?: Record<string, string>;
}

export interface Buyer {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly session: string;
}

export interface TestMarket {
  /** The programs of its shape. */
  readonly services: Readonly<Record<ProgramName, Service>>;
  /** Services that cannot be reached by the others. */
  readonly down: Set<string>;
  /** Replaces what a service answers to the others. */
  readonly instead: Map<string, (request: Request) => Response | Promise<Response>>;
  /** Requests between programs: `POST inventory-svc/stock/reserve`. */
  readonly calls: string[];
  /** Asks the program that has a service's module; its path as that service knows it. */
  ask(service: ServiceName, request: string, given?: Given): Promise<Answer>;
  /** Asks a program by its own paths. */
  askProgram(program: ProgramName, request: string, given?: Given): Promise<Answer>;
  /** What a program has logged. */
  lines(program: ProgramName): readonly Record<string, unknown>[];
  /** Moves the clock of all services. */
  advance(ms: number): void;
  register(name?: string): Promise<Buyer>;
  close(): Promise<void>;
}

/** Starts all programs of a shape at a place and waits until they are ready. */
export async function startMarket(
  place: StorePlace,
  env: Record<string, string> = {},
  shape: Shape = "nine",
  worker: WorkerOptions = {},
): Promise<TestMarket> {
  const create: typeof CREATE = {
    ...CREATE,
    "async-worker": (around) =>
      createAsyncWorker(around, { loop: { pollMs: SWEEP_MS }, ...worker }),
  };
  const down = new Set<string>();
  const instead: TestMarket["instead"] = new Map();
  const calls: string[] = [];
  let offset = 0;
  const services: Partial<Record<ProgramName, Service>> = {};
  const programs: readonly ProgramName[] = SHAPES[shape];
  const between: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    calls.push(`${request.method} ${url.host}${url.pathname}`);
    const service = services[url.host as ProgramName];
    if (down.has(url.host) || !service) throw new TypeError("connection refused");
    return await (instead.get(url.host) ?? service.fetch)(request);
  };
  const urls = Object.fromEntries(programs.map((name) => [fixedName(name), `http://${name}`]));
  const surroundings: Partial<Record<ProgramName, TestSurroundings>> = {};
  for (const name of programs) {
    const around = surroundings[name] = testSurroundings(name, {
      env: { ...urls, ...placeEnv(place), ...env },
      fetch: between,
      now: () => Date.now() + offset,
    });
    services[name] = await create[name](around);
  }
  const all = services as Record<ProgramName, Service>;
  for (const name of programs) {
    const isReady = async () => (await ask(all[name], "GET /health")).status === 200;
    await eventually(`${name} is ready`, isReady);
  }
  let registered = 0;
  const market: TestMarket = {
    services: all,
    down,
    instead,
    calls,
    ask: (service, request, given) => {
      const program = programOf(shape, service);
      const isApi = shape === "five" && service !== "frontend-svc";
      return ask(all[program], isApi ? request.replace(" ", " /api") : request, given);
    },
    askProgram: (program, request, given) => ask(all[program], request, given),
    lines: (program) => surroundings[program]?.lines ?? [],
    advance: (ms) => void (offset += ms),
    async register(name = "Ada Buyer") {
      const email = `buyer${++registered}@shop.test`;
      const { status, body } = await market.ask("user-svc", "POST /register", {
        json: { email, name, password: "correct horse" },
      });
      if (status !== 201) throw new Error(`register: ${status} ${JSON.stringify(body)}`);
      return { id: body.user.id, name, email, session: body.session };
    },
    async close() {
      for (const service of Object.values(all)) await service.close();
    },
  };
  return market;
}

/** Runs a test with a market that is closed after it. */
export async function withMarket(
  place: StorePlace,
  test: (market: TestMarket) => Promise<void>,
  shape: Shape = "nine",
): Promise<void> {
  const market = await startMarket(place, {}, shape);
  try {
    await test(market);
  } finally {
    await market.close();
  }
}

/**
 * Registers a test for the nine services on both stores, and for the five programs: what the shop
 * answers does not depend on its shape.
 */
export function eachShape(name: string, test: (market: TestMarket) => Promise<void>): void {
  eachStore(name, (place) => withMarket(place, test));
  Deno.test(`${name} (five programs)`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "market-" });
    try {
      await withMarket({ folder }, test, "five");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

export const ADDRESS = {
  name: "Ada Buyer",
  line1: "1 Harbour Street",
  city: "Rotterdam",
  postal_code: "3011 AA",
  country: "NL",
};
