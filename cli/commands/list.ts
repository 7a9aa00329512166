import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { allApps, type AppsPage, appsPath } from "../pages.ts";
import { listTable } from "../render/views.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, v1ListLines } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  await show(context, async () => {
    const answer = await httpOrV1<AppsPage>(target, appsPath(), "LIST");
    if ("reply" in answer) return v1ListLines(answer.reply, context);
    const apps = await allApps(conductorAt(target.conductor, target.timeoutMs), answer.view);
    if (args.has("json")) return [JSON.stringify({ apps })];
    if (apps.length > 0) return listTable(apps, output, Date.now());
    output.note("no apps: skr8tr up FILE deploys some");
    return [];
  });
  return DONE;
}
