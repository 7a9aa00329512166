import type { DeckSample } from "../../core/deck_view.ts";
import type { MetricsView } from "../../core/metric_view.ts";
import type { StatusView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { metricLines } from "../render/metrics.ts";
import { topLines } from "../render/top.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

/** So many values fit into one answer. */
const VALUES = 120;

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const [app] = args.positional;
  await show(context, async () => {
    if (app !== undefined) {
      const query = new URLSearchParams({
        app,
        name: args.value("grep") ?? "",
        limit: `${VALUES}`,
      });
      const view = await conductor.get<MetricsView>(`/api/telemetry/metrics?${query}`);
      return args.has("json") ? [JSON.stringify(view)] : metricLines(view, output);
    }
    const [status, sample] = await Promise.all([
      conductor.get<StatusView>("/api/status?replicas=0"),
      conductor.get<DeckSample>("/api/sample"),
    ]);
    if (args.has("json")) return [JSON.stringify({ nodes: status.nodes, sample })];
    return topLines(status, sample, output);
  });
  return DONE;
}
