import type { AppView, StatusView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { appLines, statusLines } from "../render/views.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, printV1Status } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const [app] = args.positional;
  if (app !== undefined) {
    const conductor = conductorAt(target.conductor, target.timeoutMs);
    const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(app)}`);
    if (args.has("json")) output.print(JSON.stringify(view));
    else appLines(view, output, Date.now()).forEach((line) => output.print(line));
    return DONE;
  }
  const answer = await httpOrV1<StatusView>(target, "/api/status", "NODES");
  if ("reply" in answer) await printV1Status(answer.reply, context);
  else if (args.has("json")) output.print(JSON.stringify(answer.view));
  else statusLines(answer.view, output).forEach((line) => output.print(line));
  return DONE;
}
