import { run } from "../../kit/run.ts";
import { createInventoryService } from "./service.ts";

await run("inventory-svc", 8002, createInventoryService);
