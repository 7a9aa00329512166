import { TRACES_SHOWN } from "../../core/limits.ts";
import type { TraceSpanView, TraceView } from "../../core/trace_view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { traceLines, tracesLines } from "../render/traces.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

const TRACES = 20;
/** A trace's id, as W3C Trace Context has it; no app's name is as long as that by chance. */
const ID = /^[0-9a-f]{32}$/;

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const [named = ""] = args.positional;
  const limit = args.integer("lines", 1, TRACES_SHOWN, TRACES);
  const sinceMs = args.durationMs("since", Infinity);
  await show(context, async () => {
    if (ID.test(named)) {
      const path = `/api/telemetry/traces/${named}`;
      const { spans } = await conductor.get<{ spans: TraceSpanView[] }>(path);
      return args.has("json") ? [JSON.stringify({ spans })] : traceLines(spans, output, Date.now());
    }
    const query = new URLSearchParams({
      limit: String(limit),
      ...(named === "" ? {} : { app: named }),
      ...(args.has("failed") ? { failed: "1" } : {}),
      ...(sinceMs === Infinity ? {} : { since: String(sinceMs) }),
    });
    const found = await conductor.get<{ traces: TraceView[] }>(`/api/telemetry/traces?${query}`);
    // An app that is not there is said to be none, rather than to have told of nothing.
    if (found.traces.length === 0 && named !== "") {
      await conductor.get(`/api/apps/${encodeURIComponent(named)}`);
    }
    if (args.has("json")) return [JSON.stringify(found)];
    return tracesLines(
      found.traces,
      { app: named, failed: args.has("failed") },
      output,
      Date.now(),
    );
  });
  return DONE;
}
