/**
 * What a workload needs on skr8tr: to be a good service, to find the others, and a cluster to be
 * tested on.
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
export {
  type Counter,
  type Histogram,
  type HistogramOptions,
  type Labels,
  type Metrics,
  openMetrics,
} from "./tower/live/service_metrics.ts";
export { serve, type Service, type ServiceOptions } from "./tower/live/service.ts";
export {
  ClusterError,
  type ClusterOptions,
  type ClusterReplica,
  type CommandOutput,
  type DeployedApp,
  type LogLine,
  startCluster,
  type TestCluster,
} from "./cli/testkit/cluster.ts";
