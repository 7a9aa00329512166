/// <reference lib="deno.worker" />
// One more ingress in a Web Worker, taking connections from the same ports (SO_REUSEPORT) and
// holding a watch stream of its own.

import { startLog } from "../../core/live/log.ts";
import { type Ingress, startIngress } from "./ingress.ts";
import type { FromWorker, ToWorker } from "./workers.ts";

let ingress: Ingress | null = null;

const say = (message: FromWorker) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  switch (data.k) {
    case "start":
      startLog(data.settings.name ?? "ingress", data.log.format, data.log.level);
      ingress = await startIngress(data.settings);
      return say({ k: "started" });
    case "metrics":
      return say({
        k: "metrics",
        id: data.id,
        json: await (await ingress!.metrics.expose()).registry.getMetricsAsJSON(),
      });
    case "stop":
      await ingress?.stop();
      say({ k: "stopped" });
      return self.close();
    default:
      data satisfies never;
  }
};
