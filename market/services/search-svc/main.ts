import { run } from "../../kit/run.ts";
import { createSearchService } from "./service.ts";

await run("search-svc", 8003, createSearchService);
