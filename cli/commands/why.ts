import type { WhyView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { whyLines } from "../render/rollout.ts";
import { targetOf } from "../target.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const [app = ""] = args.positional;
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const view = await conductor.get<WhyView>(`/api/apps/${encodeURIComponent(app)}/why`);
  if (args.has("json")) output.print(JSON.stringify(view));
  else whyLines(view, output, Date.now()).forEach((line) => output.print(line));
  return DONE;
}
