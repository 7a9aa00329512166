/**
 * What a workload needs on skr8tr: to be a good service, and to find the others.
 *
 * ```ts
 * import { assertGreater } from "@std/assert";
 * import { serve, Tower } from "@skr8tr/skr8tr";
 *
 * const tower = new Tower("http://127.0.0.1:7772");
 * await using service = serve(
 *   () => tower.fetch("product-svc", "/api/products"),
 *   { hostname: "127.0.0.1", port: 0, signals: false },
 * );
 * assertGreater(service.port, 0);
 * ```
 *
 * @module
 */
export { type Endpoint, Tower, TowerError, type TowerOptions } from "./tower/live/client.ts";
export { serve, type Service, type ServiceOptions } from "./tower/live/service.ts";
