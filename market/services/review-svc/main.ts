import { run } from "../../kit/run.ts";
import { createReviewService } from "./service.ts";

await run("review-svc", 8007, createReviewService);
