import { run } from "../../kit/run.ts";
import { createAsyncWorker } from "./service.ts";

await run("async-worker", 8012, (around) => createAsyncWorker(around), "telemetry-sink");
