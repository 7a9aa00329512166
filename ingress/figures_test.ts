import { assertEquals } from "@std/assert";
import { FIGURES_APPS, FIGURES_PAGE, LATENCY_BOUNDS_MS } from "../core/limits.ts";
import { type Route, watcherShape } from "../core/mesh.ts";
import { parseShaped } from "../core/shape.ts";
import { FigureBook, RouteBook } from "./figures.ts";

const BOOT = "00000000000000aa";

Deno.test("Counted.count() puts each answer into its bucket, and errors apart", () => {
  const book = new FigureBook();
  const counted = book.of("shop", 2);
  const bounds = LATENCY_BOUNDS_MS;
  for (const [status, ms] of [[200, 0], [200, bounds[0]!], [404, bounds[0]! + 0.1], [500, 1e9]]) {
    counted.count(status!, ms!);
  }
  // A client that went away says nothing of how fast or well the app is.
  counted.count(499, 3_000);
  assertEquals([counted.requests, counted.errors], [5, 1]);
  assertEquals(counted.latency.slice(0, 2), [2, 1]);
  assertEquals(counted.latency.at(-1), 1);
  assertEquals(counted.latency.length, bounds.length + 1);
});

Deno.test("FigureBook.tell() says what has changed, everything in a whole, nothing twice", () => {
  const book = new FigureBook();
  const [one, two] = [book.of("shop", 1), book.of("shop", 2)];
  assertEquals(book.of("shop", 1), one);
  one.count(200, 1);
  book.inFlight([{ counted: two, outstanding: 3 }, { counted: two, outstanding: 1 }], []);
  const tell = (whole = false) =>
    book.tell(BOOT, "i", whole).flatMap((each) => each.apps).map((each) =>
      `${each.app} ${each.generation} ${each.requests} ${each.inFlight}`
    );
  assertEquals(tell(), ["shop 1 1 0", "shop 2 0 4"]);
  assertEquals(tell(), []);
  assertEquals(book.tell(BOOT, "i", false).length, 1, "a sign of life all the same");
  assertEquals(tell(true), ["shop 1 1 0", "shop 2 0 4"]);
  book.inFlight([], [["sleepy", 2]]);
  assertEquals(tell(), ["shop 2 0 0", "sleepy 0 0 2"]);
});

Deno.test("FigureBook.tell() makes pages that the stream accepts, and holds no more than it may", () => {
  const book = new FigureBook();
  for (let app = 0; app < FIGURES_APPS + 10; app++) book.of(`app-${app}`, 1).count(200, 5);
  const pages = book.tell(BOOT, "i", true);
  assertEquals(pages.length, Math.ceil(FIGURES_APPS / FIGURES_PAGE));
  for (const page of pages) {
    assertEquals(parseShaped(watcherShape, JSON.stringify(page)), page);
  }
  assertEquals(pages.flatMap((page) => page.apps).length, FIGURES_APPS);
});

Deno.test("RouteBook counts by route, as long as the route is there", () => {
  const route = (path: string, host?: string): Route => ({
    ...{ app: "shop", path, sticky: false, weight: 1, tlsRequired: false },
    ...(host === undefined ? {} : { host }),
  });
  const [api, own] = [route("/api"), route("/", "shop.example")];
  const book = new RouteBook();
  book.keep([api, own]);
  book.of(api).count(503, 4);
  book.of(own).count(200, 4);
  book.of(own).count(200, 4);
  const changed = (whole = false) =>
    book.changed(whole).map((each) => `${each.app} ${each.route} ${each.requests} ${each.errors}`);
  assertEquals(changed(), ["shop /api 1 1", "shop shop.example/ 2 0"]);
  assertEquals(changed(), []);
  book.keep([route("/new"), own]);
  // What is under way on a route that is gone is counted nowhere.
  book.of(api).count(200, 1);
  assertEquals(changed(true), ["shop /new 0 0", "shop shop.example/ 2 0"]);
  const [message] = new FigureBook().tell(BOOT, "i", true, book.changed(true));
  assertEquals(parseShaped(watcherShape, JSON.stringify(message)), message);
});
