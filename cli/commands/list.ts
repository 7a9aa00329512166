import type { AppView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { listTable } from "../render/views.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, printV1List } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const answer = await httpOrV1<{ apps: AppView[] }>(targetOf(args), "/api/apps", "LIST");
  if ("reply" in answer) printV1List(answer.reply, context);
  else if (args.has("json")) output.print(JSON.stringify(answer.view));
  else if (answer.view.apps.length === 0) output.note("no apps: skr8tr up FILE deploys some");
  else listTable(answer.view.apps, output, Date.now()).forEach((line) => output.print(line));
  return DONE;
}
