import { run } from "../../kit/run.ts";
import { createFrontendService } from "./service.ts";

await run("frontend-svc", 4200, (around) => createFrontendService(around));
