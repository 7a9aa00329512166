import { run } from "../../kit/run.ts";
import { createCoreApi } from "./service.ts";

await run("core-api", 8010, (around) => createCoreApi(around), "telemetry-sink");
