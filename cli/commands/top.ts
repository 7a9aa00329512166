import type { DeckSample } from "../../core/deck_view.ts";
import type { StatusView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { topLines } from "../render/top.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  await show(context, async () => {
    const [status, sample] = await Promise.all([
      conductor.get<StatusView>("/api/status?replicas=0"),
      conductor.get<DeckSample>("/api/sample"),
    ]);
    if (args.has("json")) return [JSON.stringify({ nodes: status.nodes, sample })];
    return topLines(status, sample, output);
  });
  return DONE;
}
