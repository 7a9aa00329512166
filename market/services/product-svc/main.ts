import { run } from "../../kit/run.ts";
import { createProductService } from "./service.ts";

await run("product-svc", 8001, createProductService);
