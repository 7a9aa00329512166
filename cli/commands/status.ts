import type { AppView, StatusView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { appLines, statusLines } from "../render/views.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, v1StatusLines } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const [app] = args.positional;
  await show(context, async () => {
    if (app !== undefined) {
      const conductor = conductorAt(target.conductor, target.timeoutMs);
      const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(app)}`);
      return args.has("json") ? [JSON.stringify(view)] : appLines(view, output, Date.now());
    }
    // The table has a line for each app, and shows no replicas.
    const path = args.has("json") ? "/api/status" : "/api/status?replicas=0";
    const answer = await httpOrV1<StatusView>(target, path, "NODES");
    if ("reply" in answer) return await v1StatusLines(answer.reply, context);
    return args.has("json") ? [JSON.stringify(answer.view)] : statusLines(answer.view, output);
  });
  return DONE;
}
