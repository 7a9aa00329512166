import { assertEquals } from "@std/assert";
import type { RouteSample } from "../../core/deck_view.ts";
import { DECK_SAMPLE_ROUTES, DECK_SAMPLES } from "../../core/limits.ts";
import { RouteHistory } from "./route_history.ts";

function sample(route: string, requestsPerSecond: number, app = "shop"): RouteSample {
  return { app, route, requestsPerSecond, errorsPerSecond: 1 / 3, p50Ms: 3, p95Ms: 8, p99Ms: 12 };
}

Deno.test("RouteHistory tells each route's past, with gaps where nothing was known", () => {
  const history = new RouteHistory();
  history.add(10, [sample("/a", 1)]);
  history.add(20, [sample("/b", 2), sample("/a", 7, "other")]);
  history.add(30, [sample("/a", 3)]);
  const { wallMs, routes } = history.of("shop");
  assertEquals(wallMs, [10, 20, 30]);
  assertEquals(routes.map(({ route, requestsPerSecond }) => [route, requestsPerSecond]), [
    ["/a", [1, null, 3]],
    ["/b", [null, 2, null]],
  ]);
  assertEquals(routes[0]!.errorsPerSecond, [0.3333, null, 0.3333]);
  assertEquals([routes[0]!.p50Ms, routes[0]!.p99Ms], [[3, null, 3], [12, null, 12]]);
  assertEquals(history.of("shop", "/b").routes.length, 1);
  assertEquals(history.of("none"), { wallMs: [10, 20, 30], routes: [] });
});

Deno.test("RouteHistory goes around, and forgets a route whose past is over", () => {
  const history = new RouteHistory();
  history.add(0, [sample("/gone", 1)]);
  history.add(1, [sample("/a", 1)]);
  for (let at = 2; at < DECK_SAMPLES; at++) history.add(at, []);
  assertEquals(history.of("shop").routes.map(({ route }) => route), ["/gone", "/a"]);
  history.add(DECK_SAMPLES, []);
  const { wallMs, routes } = history.of("shop");
  assertEquals([wallMs.length, wallMs[0], wallMs.at(-1)], [DECK_SAMPLES, 1, DECK_SAMPLES]);
  assertEquals(routes.map(({ route }) => route), ["/a"]);
  assertEquals(routes[0]!.requestsPerSecond.slice(0, 2), [1, null]);
});

Deno.test("RouteHistory knows a bounded number of routes, those that were told of last", () => {
  const history = new RouteHistory();
  for (let at = 0; at < DECK_SAMPLE_ROUTES + 3; at++) history.add(at, [sample(`/${at}`, 1)]);
  const { routes } = history.of("shop");
  assertEquals(routes.length, DECK_SAMPLE_ROUTES);
  assertEquals(routes[0]!.route, "/3");
});
