import { assertEquals } from "@std/assert";
import { LATENCY_BOUNDS_MS } from "../../core/limits.ts";
import type { Figures, RouteFigure } from "../../core/mesh.ts";
import { RouteTraffic } from "./route_traffic.ts";

function figure(route: string, requests: number): RouteFigure {
  const latency = new Array(LATENCY_BOUNDS_MS.length + 1).fill(0);
  latency[2] = requests;
  return { app: "shop", route, requests, errors: 1, latency };
}

function told(routes?: readonly RouteFigure[]): Figures {
  const figures = { boot: "00000000000000aa", name: "ingress-1", apps: [] };
  return { ...figures, whole: routes === undefined, ...(routes ? { routes } : {}) };
}

Deno.test("RouteTraffic.lately() tells of each route that there is, the most asked first", () => {
  const routes = [
    { app: "shop", path: "/api" },
    { app: "shop", path: "/", host: "shop.example" },
    { app: "shop", path: "/never" },
  ];
  const traffic = new RouteTraffic();
  // An ingress without a request yet says so; from then on all that it counts is new.
  traffic.take(told(), 0);
  assertEquals(traffic.lately(routes, 1_000), []);
  traffic.take(told([figure("/api", 10), figure("shop.example/", 30), figure("/gone", 9)]), 1_000);
  const bound = LATENCY_BOUNDS_MS[2]!;
  const same = { app: "shop", errorsPerSecond: 1, p50Ms: bound, p95Ms: bound, p99Ms: bound };
  assertEquals(traffic.lately(routes, 1_000), [
    { ...same, route: "shop.example/", requestsPerSecond: 30 },
    { ...same, route: "/api", requestsPerSecond: 10 },
  ]);
});
