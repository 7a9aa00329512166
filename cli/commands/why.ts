import type { WhyView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { whyLines } from "../render/rollout.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const [app = ""] = args.positional;
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  await show(context, async () => {
    const view = await conductor.get<WhyView>(`/api/apps/${encodeURIComponent(app)}/why`);
    return args.has("json") ? [JSON.stringify(view)] : whyLines(view, output, Date.now());
  });
  return DONE;
}
