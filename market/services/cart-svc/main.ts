import { run } from "../../kit/run.ts";
import { createCartService } from "./service.ts";

await run("cart-svc", 8004, createCartService);
