import { run } from "../../kit/run.ts";
import { createOrderService } from "./service.ts";

await run("order-svc", 8005, (around) => createOrderService(around));
