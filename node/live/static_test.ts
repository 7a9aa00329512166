import { assert, assertEquals, assertMatch } from "@std/assert";
import { gzipSync } from "node:zlib";
import { until } from "./fake_cluster.ts";
import { findRunners } from "./runners.ts";
import { StaticSite } from "./static.ts";
import { bench, logOf, refusalOf } from "./testing.ts";

async function site(spa = false) {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "skr8tr-static-" }));
  const root = `${folder}/site`;
  const file = async (path: string, content: string | Uint8Array) => {
    await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(
      `${root}/${path}`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
  };
  await file("index.html", "<h1>start</h1>");
  await file("docs/index.html", "docs");
  await file("empty.txt", "");
  await file("digits.txt", "0123456789".repeat(10));
  await file("large.bin", new Uint8Array(300_000).map((_, at) => at % 251));
  await file("main-3FA9C1D2.js", "let a = 1;".repeat(100));
  await file("main-3FA9C1D2.js.gz", gzipSync("let a = 1;".repeat(100)));
  await file("main-3FA9C1D2.js.br", "br");
  await file("folder/x.txt", "x");
  await file(".env", "SECRET=1");
  await Deno.writeTextFile(`${folder}/outside.txt`, "outside");
  await Deno.symlink(`${folder}/outside.txt`, `${root}/link.txt`);
  await Deno.symlink("..", `${root}/up`);
  await Deno.symlink("digits.txt", `${root}/inner.txt`);
  await Deno.symlink("loop", `${root}/loop`);
  const pages = new StaticSite(root, spa);
  return {
    root,
    file,
    ask: (path: string, headers: HeadersInit = {}, method = "GET") =>
      pages.answer(new Request(`http://x${path}`, { headers, method })),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("files, indexes, redirects, HEAD and other methods", async () => {
  await using at = await site();
  const page = await at.ask("/");
  assertEquals([page.status, await page.text()], [200, "<h1>start</h1>"]);
  assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals(page.headers.get("cache-control"), "no-cache");
  assertEquals(page.headers.get("x-content-type-options"), "nosniff");
  const moved = await at.ask("/docs");
  assertEquals([moved.status, moved.headers.get("location")], [301, "./docs/"]);
  assertEquals(await (await at.ask("/docs/")).text(), "docs");
  const head = await at.ask("/digits.txt", {}, "HEAD");
  assertEquals([head.status, head.headers.get("content-length")], [200, "100"]);
  assertEquals(head.body, null);
  assertEquals(await (await at.ask("/empty.txt")).text(), "");
  const post = await at.ask("/", {}, "POST");
  assertEquals([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  assertEquals((await at.ask("/digits.txt/")).status, 404);
  assertEquals((await at.ask("/folder")).status, 404);
  assertEquals((await at.ask("/folder/")).status, 404);
  const large = new Uint8Array(await (await at.ask("/large.bin")).arrayBuffer());
  assertEquals([large.length, large[299_999]], [300_000, 299_999 % 251]);
});

Deno.test("nothing outside of the folder is served, and nothing hidden", async () => {
  await using at = await site();
  const paths = [
    "/link.txt",
    "/up/outside.txt",
    "/up",
    "/loop",
    "/.env",
    "/%2e%2e/outside.txt",
    "/..%2foutside.txt",
    "/folder/..%2f..%2foutside.txt",
    "/index.html/x",
    `/${"y".repeat(300)}`,
  ];
  for (const path of paths) {
    const response = await at.ask(path);
    assertEquals(response.status, 404, path);
    assertEquals(await response.text(), "not found\n");
  }
  assertEquals((await at.ask("/inner.txt")).status, 200);
});

Deno.test("conditions: 304, 412, and a tag that is made of the content", async () => {
  await using at = await site();
  const first = await at.ask("/digits.txt");
  const etag = first.headers.get("etag")!;
  assertMatch(etag, /^"[0-9a-f]{32}"$/);
  await first.body?.cancel();
  const same = await at.ask("/digits.txt", { "if-none-match": `"other", W/${etag}` });
  assertEquals([same.status, same.body, same.headers.get("etag")], [304, null, etag]);
  const modified = first.headers.get("last-modified")!;
  assertEquals((await at.ask("/digits.txt", { "if-modified-since": modified })).status, 304);
  // A tag that differs says more than a time that does not.
  const both = { "if-modified-since": modified, "if-none-match": '"other"' };
  assertEquals((await at.ask("/digits.txt", both)).status, 200);
  assertEquals((await at.ask("/digits.txt", { "if-match": '"other"' })).status, 412);
  await at.file("copy.txt", "0123456789".repeat(10));
  assertEquals((await at.ask("/copy.txt")).headers.get("etag"), etag);
  await at.file("digits.txt", "9876543210".repeat(10));
  assertEquals((await at.ask("/digits.txt", { "if-none-match": etag })).status, 200);
});

Deno.test("ranges: one, several, none, and only of the file that the client holds", async () => {
  await using at = await site();
  const one = await at.ask("/digits.txt", { range: "bytes=5-7" });
  assertEquals(
    [one.status, one.headers.get("content-range"), one.headers.get("content-length")],
    [206, "bytes 5-7/100", "3"],
  );
  assertEquals(await one.text(), "567");
  const tail = await at.ask("/large.bin", { range: "bytes=200000-" });
  const bytes = new Uint8Array(await tail.arrayBuffer());
  assertEquals([bytes.length, bytes[0]], [100_000, 200_000 % 251]);
  const none = await at.ask("/digits.txt", { range: "bytes=100-" });
  assertEquals([none.status, none.headers.get("content-range")], [416, "bytes */100"]);
  const several = await at.ask("/digits.txt", { range: "bytes=0-1,50-52" });
  assertEquals(several.status, 206);
  const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(
    several.headers.get("content-type")!,
  )![1]!;
  const text = await several.text();
  assertEquals(several.headers.get("content-length"), String(text.length));
  assertEquals(
    text,
    ["0-1", "50-52"].map((range, index) =>
      `\r\n--${boundary}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-range: bytes ${range}/100\r\n\r\n${["01", "012"][index]}`
    ).join("") + `\r\n--${boundary}--\r\n`,
  );
  const etag = one.headers.get("etag")!;
  const held = await at.ask("/digits.txt", { range: "bytes=0-0", "if-range": etag });
  assertEquals(held.status, 206);
  const stale = await at.ask("/digits.txt", { range: "bytes=0-0", "if-range": '"old"' });
  assertEquals([stale.status, (await stale.text()).length], [200, 100]);
});

Deno.test("precompressed files are preferred where the client takes them", async () => {
  await using at = await site();
  const plain = await at.ask("/main-3FA9C1D2.js");
  assertEquals(plain.headers.get("content-encoding"), null);
  assertEquals(plain.headers.get("vary"), "accept-encoding");
  assertEquals(plain.headers.get("cache-control"), "public, max-age=31536000, immutable");
  const gzip = await at.ask("/main-3FA9C1D2.js", { "accept-encoding": "gzip" });
  assertEquals(gzip.headers.get("content-encoding"), "gzip");
  assertEquals(gzip.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert(gzip.headers.get("etag") !== plain.headers.get("etag"));
  const unpacked = gzip.body!.pipeThrough(new DecompressionStream("gzip"));
  assertEquals(await new Response(unpacked).text(), "let a = 1;".repeat(100));
  const br = await at.ask("/main-3FA9C1D2.js", { "accept-encoding": "gzip, br" });
  assertEquals([br.headers.get("content-encoding"), await br.text()], ["br", "br"]);
});

Deno.test("a single-page app gets its start page, but no script in place of a missing one", async () => {
  await using at = await site(true);
  const page = await at.ask("/orders/7", { accept: "text/html" });
  assertEquals([page.status, await page.text()], [200, "<h1>start</h1>"]);
  assertEquals((await at.ask("/missing.js", { accept: "*/*" })).status, 404);
  assertEquals((await at.ask("/../x", { accept: "application/json" })).status, 404);
  await using other = await site();
  await other.file("404.html", "nothing here");
  const missing = await other.ask("/nowhere", { accept: "text/html" });
  assertEquals([missing.status, await missing.text()], [404, "nothing here"]);
});

Deno.test("a node serves a folder by a process that may read this folder alone", async () => {
  await using all = await bench({ runners: findRunners() });
  Deno.mkdirSync(`${all.folder}/site`);
  Deno.writeTextFileSync(`${all.folder}/site/index.html`, "hello");
  Deno.writeTextFileSync(`${all.folder}/secret.txt`, "secret");
  Deno.symlinkSync("../secret.txt", `${all.folder}/site/secret.txt`);
  all.run("  serve {\n    static site\n    port 31510\n    spa yes\n  }");
  const { pid, port } = await all.cluster.state("web-1", "ready");
  const page = await fetch(`http://127.0.0.1:${port}/some/where`);
  assertEquals(await page.text(), "hello");
  const escaped = await fetch(`http://127.0.0.1:${port}/secret.txt`);
  assertEquals([escaped.status, await escaped.text()], [404, "not found\n"]);
  const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
  assertEquals(words.filter((word) => word.startsWith("--allow-")), [
    `--allow-read=${all.folder}/site`,
    `--allow-net=127.0.0.1:${port}`,
  ]);
  await logOf(all, "web-1", (lines) => lines.some((line) => line.startsWith("serves ")));
  all.cluster.stop("web-1");
  const end = await all.cluster.state("web-1", "finished");
  assertEquals([end.exit?.why, end.exit?.code], ["stopped", 0]);
});

Deno.test("a folder that is not there is told before anything is started", async () => {
  await using all = await bench({ runners: findRunners() });
  all.run("  serve {\n    static site\n    port 31511\n  }");
  const status = await until("refused", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.exit?.why === "launch" ? each : null;
  });
  assertEquals(status.exit?.tail, `its folder ${all.folder}/site does not exist on this node`);
});

Deno.test("a node without Deno refuses to serve, with the reason", async () => {
  await using all = await bench();
  all.run("  serve {\n    static /srv\n    port 31512\n  }");
  assertMatch(await refusalOf(all, "web-1"), /^serve needs deno/);
});
