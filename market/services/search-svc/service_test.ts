import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createProductService } from "../product-svc/service.ts";
import { ask, eventually, testSurroundings } from "../../kit/testing.ts";
import { products } from "../product-svc/catalogue.ts";
import { excerpt, highlight, type Segment } from "./highlight.ts";
import { createSearchIndex } from "./index.ts";
import { createSearchService } from "./service.ts";
import { isOneEdit, isPrefixWithOneEdit, wordsOf } from "./words.ts";

const index = createSearchIndex(products());
const names = (query: string, count = 5) =>
  index.search(query).hits.slice(0, count).map((each) => each.product.name);
const kindsFound = (query: string, kind: string, count = 5) =>
  names(query, count).filter((name) => name.includes(kind)).length;

Deno.test("search() puts first what is called so", () => {
  assertEquals(kindsFound("dutch oven", "Dutch Oven", 2), 2);
  assertEquals(kindsFound("wireless headphones", "Wireless Headphones", 2), 2);
  assertEquals(kindsFound("WATERING can", "Watering Can", 2), 2);
  assert(names("norvane headphones")[0]!.startsWith("Norvane"));
  // The name weighs more than a mention: kettles before what only goes with them.
  assert(names("kettle").every((name) => name.includes("Kettle")));
});

Deno.test("search() finds beginnings of words", () => {
  assertEquals(names("headph"), names("headphones"));
  assert(names("espr")[0]!.includes("Espresso"));
  assert(names("wire headph")[0]!.includes("Wireless Headphones"));
  // The word itself stands before words that only begin so.
  assert(names("pen")[0]!.includes("Pen"));
});

Deno.test("search() forgives one mistake a word, and says what it read", () => {
  const typos: [string, string, string][] = [
    ["hedphones", "headphones", "Headphones"],
    ["haedphones", "headphones", "Headphones"],
    ["headphonnes", "headphones", "Headphones"],
    ["keybaord", "keyboard", "Keyboard"],
    ["espreso", "espresso", "Espresso"],
    ["teapoy", "teapot", "Teapot"],
  ];
  for (const [typed, meant, found] of typos) {
    const { corrections } = index.search(typed);
    assertEquals(corrections, [{ from: typed, to: meant }]);
    assert(names(typed)[0]!.includes(found), typed);
  }
  assertEquals(index.search("headphones").corrections, []);
  assertEquals(index.search("headph").corrections, []);
  assert(names("hedph")[0]!.includes("Headphones"), "a mistake in a beginning");
  assertEquals(index.search("qqqqqqqq").hits, []);
  assertEquals(index.search("xqz").hits, [], "short words are taken as they are");
});

Deno.test("search() wants every word, and most of them when no product has all", () => {
  const both = index.search("leather watch").hits;
  assert(both.length > 0);
  const [most] = index.search("leather watch qqqqqqqq").hits;
  assertEquals(most?.product.id, both[0]!.product.id);
  assertEquals(names("the kettle for a"), names("kettle"));
  assert(index.search("the").hits.length > 0, "a query of nothing else");
});

Deno.test("search() ignores accents and punctuation", () => {
  assertEquals(names("héadphönes!!"), names("headphones"));
  assertEquals(names("27-inch"), names("27 inch"));
  for (const query of ["", "   ", "!?.,", "'; drop table", "<script>", "😀", "\u0301"]) {
    index.search(query);
  }
});

Deno.test("search() never fails, and scores fall", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (query) => {
    const { hits } = index.search(query);
    for (const [at, hit] of hits.entries()) {
      assert(Number.isFinite(hit.score) && hit.score > 0);
      if (at > 0) assert(hits[at - 1]!.score >= hit.score);
    }
  }));
});

Deno.test("isOneEdit() agrees with the distance computed in full", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(word, word, (a, b) => assertEquals(isOneEdit(a, b), distance(a, b) <= 1)),
    { numRuns: 2_000 },
  );
  assert(isPrefixWithOneEdit("hedph", "headphones"));
  assert(!isPrefixWithOneEdit("hedhp", "headphones"));
});

Deno.test("highlight() and excerpt() cut texts without changing them", () => {
  const terms = new Set(["wireless", "uber"]);
  const text = "Über <b>wireless</b>, Wireless-ness & wire";
  const segments = highlight(text, terms);
  assertEquals(segments.map((each) => each.text).join(""), text);
  assertEquals(hits(segments), ["Über", "wireless", "Wireless"]);
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), (text) => {
    const some = new Set(wordsOf(text).filter((_, at) => at % 3 === 0).map((each) => each.term));
    assertEquals(highlight(text, some).map((each) => each.text).join(""), text);
    const cut = excerpt(text, some).map((each) => each.text).join("").replace(/^… | …$/g, "");
    assert(text.includes(cut) && cut.length <= 160);
  }));
  const long = `${"word ".repeat(60)}needle ${"word ".repeat(60)}`;
  assertEquals(hits(excerpt(long, new Set(["needle"]))), ["needle"]);
});

Deno.test("GET /search: lists, filters, facets, highlights", async () => {
  const { service, close } = await start();
  try {
    const get = async (path: string) => (await ask(service, `GET /search?${path}`)).body;
    const all = await get("q=lamp&per_page=100");
    assert(all.total > 10 && all.items.length === all.total);
    assert(all.items.every((each: { score: number }) => each.score > 0));
    const first = all.items[0];
    assertEquals(first.highlights.name.map((each: Segment) => each.text).join(""), first.name);
    assert(hits(first.highlights.name).some((each) => /^lamp/i.test(each)));
    const counts = (facet: { count: number }[]) => facet.reduce((sum, each) => sum + each.count, 0);
    assertEquals(counts(all.facets.category), all.total);
    assertEquals(counts(all.facets.brand), all.total);
    assertEquals(counts(all.facets.price), all.total);
    const { value, count } = all.facets.brand[0];
    const narrowed = await get(`q=lamp&brand=${encodeURIComponent(value)}`);
    assertEquals(narrowed.total, count);
    assertEquals(narrowed.facets.brand, all.facets.brand, "the other brands can still be chosen");
    const step = all.facets.price[2];
    const priced = await get(`q=lamp&min_price=${step.min}&max_price=${step.max}`);
    assertEquals(priced.total, step.count);
    const category = all.facets.category[0];
    const inside = await get(`q=lamp&category=${encodeURIComponent(category.value)}`);
    assertEquals(inside.total, category.count);
    const cheap = await get("q=lamp&sort=price_asc&per_page=100");
    const prices = cheap.items.map((each: { price: number }) => each.price);
    assertEquals(prices, prices.toSorted((a: number, b: number) => a - b));
    const pages = [await get("q=lamp&per_page=4"), await get("q=lamp&per_page=4&page=2")];
    assertEquals(pages.flatMap((each) => each.items), all.items.slice(0, 8));
    assertEquals((await get("q=hedphones")).corrections, [{ from: "hedphones", to: "headphones" }]);
    assertEquals((await get("q=%3F%3F")).total, 0);
  } finally {
    await close();
  }
});

Deno.test("GET /search names what is wrong", async () => {
  const { service, close } = await start();
  try {
    const cases: [string, string][] = [
      ["", "q"],
      ["q=", "q"],
      ["q=a&q=b", "q"],
      [`q=${"x".repeat(201)}`, "q"],
      ["q=%00", "q"],
      ["q=a&page=0", "page"],
      ["q=a&per_page=101", "per_page"],
      ["q=a&sort=cheapest", "sort"],
      ["q=a&min_price=-1", "min_price"],
      ["q=a&min_price=2&max_price=1", "min_price"],
    ];
    for (const [query, field] of cases) {
      const { status, body } = await ask(service, `GET /search?${query}`);
      assertEquals([status, body.field], [400, field], query);
    }
    const hostile = await ask(service, "GET /search?q=%3Cscript%3Ealert(1)%3C/script%3E");
    assertEquals(hostile.status, 200);
    assert(!JSON.stringify(hostile.body).includes("<script"));
  } finally {
    await close();
  }
});

Deno.test("search-svc is ready once product-svc has answered, however late", async () => {
  const around = testSurroundings("product-svc");
  const catalogue = createProductService(around);
  let up = false;
  const { service, close } = create((input) => {
    if (!up) return Promise.reject(new TypeError("connection refused"));
    return Promise.resolve(catalogue.fetch(new Request(input)));
  });
  try {
    assertEquals((await ask(service, "GET /health")).status, 503);
    const early = await ask(service, "GET /search?q=lamp");
    assertEquals([early.status, early.body.field], [503, "product-svc"]);
    up = true;
    await eventually("ready", async () => (await ask(service, "GET /health")).status === 200);
    assertEquals((await ask(service, "GET /search?q=lamp")).status, 200);
  } finally {
    await close();
  }
});

function create(fetcher: (input: string) => Promise<Response>) {
  const around = testSurroundings("search-svc", {
    env: { PRODUCT_URL: "http://product-svc" },
    fetch: fetcher as typeof fetch,
  });
  const service = createSearchService(around);
  return { service, close: () => service.close() };
}

async function start() {
  const catalogue = createProductService(testSurroundings("product-svc"));
  const started = create((input) => Promise.resolve(catalogue.fetch(new Request(input))));
  const isReady = async () => (await ask(started.service, "GET /health")).status === 200;
  await eventually("ready", isReady);
  return started;
}

function hits(segments: readonly Segment[]): string[] {
  return segments.filter((each) => each.hit).map((each) => each.text);
}

/** Damerau-Levenshtein distance (optimal string alignment), by its definition. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) {
        rows[i]![j] = i + j;
        continue;
      }
      let best = Math.min(
        rows[i - 1]![j]! + 1,
        rows[i]![j - 1]! + 1,
        rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      rows[i]![j] = best;
    }
  }
  return rows[a.length]![b.length]!;
}
