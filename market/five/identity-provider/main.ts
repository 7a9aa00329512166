import { run } from "../../kit/run.ts";
import { createIdentityProvider } from "./service.ts";

await run("identity-provider", 8011, (around) => createIdentityProvider(around), "telemetry-sink");
