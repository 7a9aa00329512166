import { identityOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules, under } from "../../kit/wiring.ts";
import { createSink } from "./module.ts";
import { openTelemetryStore } from "./store.ts";

const IDENTITY = "identity-provider";

/** Collects what the other programs tell of themselves; keeps it in `DATA_DIR`, for all replicas. */
export async function createTelemetrySink(around: Surroundings): Promise<Service> {
  const folder = around.env("DATA_DIR");
  if (!folder) throw new Error("telemetry-sink has nowhere to keep its state: set DATA_DIR");
  const directory = directoryOf(around, { apps: [IDENTITY] });
  // It only reads the public keys, for which nobody asks who it is.
  const nobody = () => Promise.resolve({});
  const identity = identityOverHttp(under(directory, "/api"), nobody, around.now, IDENTITY);
  const sink = createSink(await openTelemetryStore(folder), { identity, now: around.now });
  // Where OTLP has it: without anything before the path.
  const front = { routes: sink.api.receive };
  return serveModules(around, directory, [sink], { base: "/api", front });
}
