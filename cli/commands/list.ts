import type { AppView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { listTable } from "../render/views.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, v1ListLines } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  await show(context, async () => {
    const answer = await httpOrV1<{ apps: AppView[] }>(target, "/api/apps", "LIST");
    if ("reply" in answer) return v1ListLines(answer.reply, context);
    if (args.has("json")) return [JSON.stringify(answer.view)];
    if (answer.view.apps.length > 0) return listTable(answer.view.apps, output, Date.now());
    output.note("no apps: skr8tr up FILE deploys some");
    return [];
  });
  return DONE;
}
