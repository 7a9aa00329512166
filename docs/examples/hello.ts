// A service as a node expects it: it listens where HOST and PORT say, and answers GET /health.
import { serve } from "../../mod.ts";

serve(() => new Response(`hello from ${Deno.env.get("REPLICA_ID")} on ${Deno.env.get("NODE")}\n`));
