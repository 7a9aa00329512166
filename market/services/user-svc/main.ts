import { run } from "../../kit/run.ts";
import { createUserService } from "./service.ts";

await run("user-svc", 8006, (around) => createUserService(around));
