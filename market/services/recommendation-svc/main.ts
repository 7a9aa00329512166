import { run } from "../../kit/run.ts";
import { createRecommendationService } from "./service.ts";

await run("recommendation-svc", 8008, createRecommendationService);
