import { run } from "../../kit/run.ts";
import { createTelemetrySink } from "./service.ts";

await run("telemetry-sink", 8013, createTelemetrySink);
