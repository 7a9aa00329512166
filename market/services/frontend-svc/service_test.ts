import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testSurroundings } from "../../kit/testing.ts";
import { createFrontendService } from "./service.ts";

const PAGE = "<!DOCTYPE html><title>Shop</title>";
const SCRIPT = `console.log(${JSON.stringify("shop ".repeat(200))});`;

/** A front on disk, with a secret beside it and a link that leads there. */
async function withFront(
  test: (get: (path: string, headers?: HeadersInit) => Promise<Response>, root: string) => unknown,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "market-front-" });
  const root = `${folder}/dist`;
  try {
    Deno.mkdirSync(`${root}/assets`, { recursive: true });
    Deno.writeTextFileSync(`${root}/index.html`, PAGE);
    Deno.writeTextFileSync(`${root}/favicon.svg`, "<svg/>");
    Deno.writeTextFileSync(`${root}/assets/main-ABCD1234.js`, SCRIPT);
    Deno.writeTextFileSync(`${root}/.hidden.js`, "hidden");
    Deno.writeTextFileSync(`${folder}/secret.js`, "secret");
    Deno.symlinkSync(`${folder}/secret.js`, `${root}/linked.js`);
    Deno.symlinkSync(folder, `${root}/up`);
    const service = createFrontendService(testSurroundings("frontend-svc"), root);
    await test(
      async (path, headers) =>
        await service.fetch(new Request(`http://shop.test${path}`, { headers })),
      root,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("pages of the app get the page, files get themselves", () =>
  withFront(async (get) => {
    for (const path of ["/", "/catalog", "/product/17", "/orders/a-b-c?x=1", "/index.html"]) {
      const response = await get(path);
      assertEquals(response.status, 200, path);
      assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
      assertEquals(response.headers.get("cache-control"), "no-cache");
      assertEquals(await response.text(), PAGE);
    }
    const script = await get("/assets/main-ABCD1234.js");
    assertEquals(script.headers.get("content-type"), "text/javascript; charset=utf-8");
    assertEquals(script.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assertEquals(await script.text(), SCRIPT);
    const missing = await get("/assets/other-ABCD1234.js");
    assertEquals([missing.status, (await missing.json()).field], [404, "path"]);
  }));

Deno.test("what is asked of a service that is not there is not answered with a page", () =>
  withFront(async (get) => {
    for (const path of ["/api", "/api/", "/api/products/1", "/api/contact/a-b?x=1", "/api/x.js"]) {
      const response = await get(path);
      assertEquals([response.status, (await response.json()).field], [404, "path"], path);
    }
    for (const path of ["/apiary", "/product/api"]) assertEquals((await get(path)).status, 200);
  }));

Deno.test("a page that is known is answered with 304, until it changes", () =>
  withFront(async (get, root) => {
    const etag = (await get("/")).headers.get("etag")!;
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const response = await get("/", { "if-none-match": tag });
      assertEquals([response.status, await response.text()], [304, ""], tag);
      assertEquals(response.headers.get("etag"), etag);
    }
    assertEquals((await get("/", { "if-none-match": '"other"' })).status, 200);
    Deno.writeTextFileSync(`${root}/index.html`, "<p>new");
    Deno.utimeSync(`${root}/index.html`, 1, 1);
    const changed = await get("/", { "if-none-match": etag });
    assertEquals([changed.status, await changed.text()], [200, "<p>new"]);
  }));

Deno.test("files are compressed for those who ask", () =>
  withFront(async (get) => {
    const path = "/assets/main-ABCD1234.js";
    const plain = await get(path, { "accept-encoding": "br, gzip;q=0" });
    assertEquals(plain.headers.get("content-encoding"), null);
    const packed = await get(path, { "accept-encoding": "br;q=1.0, gzip;q=0.8" });
    assertEquals(packed.headers.get("content-encoding"), "gzip");
    assertEquals(packed.headers.get("vary"), "accept-encoding");
    const bytes = await packed.arrayBuffer();
    assert(bytes.byteLength < SCRIPT.length / 2);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    assertEquals(await new Response(stream).text(), SCRIPT);
  }));

Deno.test("nothing outside the front is served", () =>
  withFront(async (get) => {
    const paths = [
      "/../secret.js",
      "/..%2fsecret.js",
      "/%2e%2e/secret.js",
      "/assets/../../secret.js",
      "/assets/..%2f..%2fsecret.js",
      "/assets/..%5c..%5csecret.js",
      "/linked.js",
      "/up/secret.js",
      "/.hidden.js",
      "//secret.js",
      "/%00.js",
      "/assets/main-ABCD1234.js%00.html",
      "/assets.js",
      "/index.html/x.js",
    ];
    for (const path of paths) {
      const response = await get(path);
      const text = await response.text();
      assertEquals(response.status, 404, path);
      assert(!text.includes("secret") && !text.includes("hidden"), path);
    }
  }));

Deno.test("the page may load only what is the shop's own", () =>
  withFront(async (get) => {
    const { headers } = await get("/");
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
      assertStringIncludes(policy, rule);
    }
    assert(!/unsafe|\*|https?:/.test(policy));
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "same-origin");
  }));

Deno.test("a front that has not been built says so", async () => {
  const service = createFrontendService(testSurroundings("frontend-svc"), "/tmp/market-no-such");
  const response = await service.fetch(new Request("http://shop.test/"));
  assertEquals([response.status, (await response.json()).field], [503, "front"]);
});
