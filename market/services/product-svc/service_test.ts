import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ask, testSurroundings } from "../../kit/testing.ts";
import { products } from "./catalogue.ts";
import type { Product } from "../../kit/product.ts";
import { ASSORTMENT } from "./assortment.ts";
import { DRAWN_AS } from "./drawn_as.ts";
import { GLYPHS } from "./glyphs.ts";
import { KINDS } from "./kinds.ts";
import { MORE_KINDS } from "./more_kinds.ts";
import { createProductService } from "./service.ts";

const around = testSurroundings("product-svc");
const service = createProductService(around);
const list = async (query: string) => (await ask(service, `GET /products${query}`)).body;

Deno.test("GET /products pages through all 500 products once", async () => {
  const ids: number[] = [];
  for (let page = 1; page <= 5; page++) {
    const body = await list(`?page=${page}&per_page=100`);
    assertEquals([body.page, body.per_page, body.total, body.total_pages], [page, 100, 500, 5]);
    ids.push(...body.items.map((each: Product) => each.id));
  }
  assertEquals(ids, products().map((each) => each.id));
  assertEquals((await list("?page=6&per_page=100")).items, []);
  assertEquals((await list("")).items.length, 20);
});

Deno.test("GET /products filters by every parameter, together too", async () => {
  const cases: [string, (product: Product) => boolean][] = [
    ["category=electronics", (each) => each.category === "Electronics"],
    ["category=Home%20%26%20Kitchen", (each) => each.category_id === "home-kitchen"],
    ["subcategory=audio", (each) => each.subcategory === "Audio"],
    ["brand=norvane", (each) => each.brand === "Norvane"],
    ["brand=Norvane,Ferrum", (each) => ["Norvane", "Ferrum"].includes(each.brand)],
    ["min_price=5000&max_price=7500", (each) => each.price >= 5000 && each.price <= 7500],
    ["featured=true", (each) => each.featured],
    ["in_stock=false", (each) => !each.in_stock],
    ["ids=3,1,999999", (each) => each.id === 1 || each.id === 3],
    ["brand=nobody", () => false],
    [
      "category=fashion&max_price=9000&brand=Marlowe",
      (each) => each.category_id === "fashion" && each.price <= 9000 && each.brand === "Marlowe",
    ],
  ];
  for (const [query, wanted] of cases) {
    const body = await list(`?${query}&per_page=100`);
    const expected = products().filter(wanted);
    assertEquals(body.total, expected.length, query);
    assertEquals(body.items, expected.slice(0, 100), query);
  }
});

Deno.test("GET /products sorts", async () => {
  const key = async (sort: string, of: (product: Product) => unknown) =>
    (await list(`?sort=${sort}&per_page=100`)).items.map(of);
  const prices = products().map((each) => each.price).sort((a, b) => a - b);
  assertEquals(await key("price_asc", (each) => each.price), prices.slice(0, 100));
  assertEquals(await key("price_desc", (each) => each.price), prices.toReversed().slice(0, 100));
  const ratings = products().map((each) => each.rating).sort((a, b) => b - a);
  assertEquals(await key("rating", (each) => each.rating), ratings.slice(0, 100));
  const names = products().map((each) => each.name).sort();
  assertEquals(await key("name", (each) => each.name), names.slice(0, 100));
});

Deno.test("GET /products counts brands beside the brand filter, not through it", async () => {
  const narrowed = await list("?category=electronics&brand=Norvane");
  const all = await list("?category=electronics");
  assertEquals(narrowed.brands, all.brands);
  assertEquals(
    all.brands.reduce((sum: number, each: { count: number }) => sum + each.count, 0),
    75,
  );
});

Deno.test("every bad parameter is a 4xx that names its field", async () => {
  const cases: [string, number, string][] = [
    ["/products?page=0", 400, "page"],
    ["/products?page=1.5", 400, "page"],
    ["/products?page=abc", 400, "page"],
    ["/products?page=", 400, "page"],
    ["/products?page=1&page=2", 400, "page"],
    ["/products?page=99999999999999999999", 400, "page"],
    ["/products?per_page=101", 400, "per_page"],
    ["/products?per_page=-1", 400, "per_page"],
    ["/products?category=weapons", 400, "category"],
    ["/products?category=electronics&subcategory=shoes", 400, "subcategory"],
    ["/products?min_price=-1", 400, "min_price"],
    ["/products?max_price=12.50", 400, "max_price"],
    ["/products?min_price=2&max_price=1", 400, "min_price"],
    ["/products?featured=yes", 400, "featured"],
    ["/products?sort=price", 400, "sort"],
    ["/products?sort=constructor", 400, "sort"],
    ["/products?ids=1,x", 400, "ids"],
    [`/products?brand=${"x".repeat(501)}`, 400, "brand"],
    ["/products?brand=%00", 400, "brand"],
    ["/products?category=%3Cscript%3Ealert(1)%3C/script%3E", 400, "category"],
    ["/products?category='%20OR%201=1--", 400, "category"],
    ["/products/0", 400, "id"],
    ["/products/abc", 400, "id"],
    ["/products/1e2", 400, "id"],
    ["/products/501", 404, "id"],
    ["/products/501/image.svg", 404, "id"],
    ["/featured?per_page=0", 400, "per_page"],
    ["/categories?page=0", 400, "page"],
    ["/nothing", 404, "path"],
    ["/products/%E0%A4%A", 400, "id"],
  ];
  for (const [path, status, field] of cases) {
    const answer = await ask(service, `GET ${path}`);
    assertEquals([answer.status, answer.body.field], [status, field], path);
    assertEquals(typeof answer.body.error, "string");
    assert(!JSON.stringify(answer.body).includes("<script"), path);
  }
  assertEquals((await ask(service, "POST /products")).status, 404);
});

Deno.test("GET /products/{id} has every field of a product", async () => {
  const { body } = await ask(service, "GET /products/17");
  assertEquals(Object.keys(body).sort(), [
    ...["brand", "category", "category_id", "description", "featured", "id", "image_url"],
    ...["in_stock", "name", "price", "rating", "review_count", "sku", "subcategory", "tags"],
  ]);
  assertEquals(body.id, 17);
  assertEquals(body.image_url, "/api/products/17/image.svg");
  assert(Number.isInteger(body.price) && body.price > 0);
});

Deno.test("GET /categories: seven, whose counts add up", async () => {
  const { body } = await ask(service, "GET /categories");
  assertEquals(body.total, 7);
  let sum = 0;
  for (const category of body.items) {
    const inside = category.subcategories.map((each: { count: number }) => each.count);
    assertEquals(inside.reduce((a: number, b: number) => a + b), category.count);
    sum += category.count;
  }
  assertEquals(sum, 500);
});

Deno.test("GET /featured is the catalogue's featured part", async () => {
  const { body } = await ask(service, "GET /featured?per_page=100");
  assertEquals(body.items, products().filter((each) => each.featured));
  assert(body.total > 10);
});

Deno.test("products() are unique, sound and the same in every replica", async () => {
  const all = products();
  assertEquals(new Set(all.map((each) => each.name)).size, 500);
  assertEquals(new Set(all.map((each) => each.sku)).size, 500);
  assert(all.every((each) => each.rating >= 1 && each.rating <= 5 && each.review_count > 0));
  assert(all.every((each) => each.description.length > 60 && each.tags.length > 1));
  const text = new TextEncoder().encode(JSON.stringify(all));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex();
  // Pinned: carts, orders and stock keep ids, so a changed catalogue must be a decision.
  assertEquals(digest.slice(0, 16), "54a3c4b377fadcad");
});

Deno.test("GET /products/{id}/image.svg draws every product, well-formed and from nothing outside", async () => {
  const seen = new Set<string>();
  for (const { id } of products()) {
    const answer = await ask(service, `GET /products/${id}/image.svg`);
    assertEquals(answer.headers.get("content-type"), "image/svg+xml");
    assertStringIncludes(answer.headers.get("cache-control") ?? "", "max-age");
    assertMatch(answer.body, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [^]*<\/svg>$/);
    assert(!/undefined|NaN|href|<script/.test(answer.body), `product ${id}`);
    assertEquals(tagsOpen(answer.body), 0, `product ${id}`);
    seen.add(answer.body);
  }
  assertEquals(seen.size, 500);
});

function tagsOpen(svg: string): number {
  const opened = svg.match(/<[a-zA-Z][^>]*[^/]>/g)?.length ?? 0;
  return opened - (svg.match(/<\//g)?.length ?? 0);
}

Deno.test("each answer carries who answered, and each request leaves one line", async () => {
  around.lines.length = 0;
  const answer = await ask(service, "GET /products/3", { headers: { "x-request-id": "abc-1" } });
  assertEquals(answer.headers.get("x-replica"), "product-svc-1");
  assertEquals(answer.headers.get("x-request-id"), "abc-1");
  assertEquals(around.lines.length, 1);
  const { time, ms, trace, span, ...line } = around.lines[0]!;
  assertEquals(line, {
    app: "product-svc",
    replica: "product-svc-1",
    node: "node-1",
    level: "info",
    event: "request",
    id: "abc-1",
    method: "GET",
    route: "/products/:id",
    status: 200,
  });
  assert(typeof ms === "number" && ms >= 0 && typeof time === "string");
  assertMatch(String(trace), /^[0-9a-f]{32}$/);
  assertMatch(String(span), /^[0-9a-f]{16}$/);
  const strange = await ask(service, "GET /nowhere", { headers: { "x-request-id": "a b<" } });
  assertMatch(strange.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  assertEquals(around.lines[1]!.route, "other");
});

Deno.test("GET /health answers ok, GET /metrics counts what was answered", async () => {
  assertEquals((await ask(service, "GET /health")).body, "ok");
  const before = count((await ask(service, "GET /metrics")).body);
  await ask(service, "GET /products/4");
  await ask(service, "GET /products/5");
  assertEquals(count((await ask(service, "GET /metrics")).body), before + 2);
});

function count(metrics: string): number {
  const line = metrics.match(/_count\{.*route="\/products\/:id",status="200"\} (\d+)/);
  return Number(line?.[1] ?? 0);
}

Deno.test("picture() shows each kind by a drawing that there is", () => {
  const kinds = new Set(
    ASSORTMENT.flatMap((each) =>
      each.subcategories.flatMap((shelf) => shelf.kinds.map(([name]) => name))
    ),
  );
  const kindDrawings = { ...KINDS, ...MORE_KINDS };
  for (const [kind, [drawing]] of Object.entries(DRAWN_AS)) {
    assert(kinds.has(kind), `${kind} is no kind of ours`);
    assert(kindDrawings[drawing] ?? GLYPHS[drawing], `${kind} has no drawing ${drawing}`);
  }
  const used = new Set(Object.values(DRAWN_AS).map(([drawing]) => drawing));
  for (const drawing of Object.keys(kindDrawings)) {
    assert(used.has(drawing), `${drawing} is not used`);
  }
});
