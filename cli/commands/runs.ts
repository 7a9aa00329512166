import { Failure } from "../../core/errors.ts";
import type { AppView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { runsTable } from "../render/runs.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const name = args.positional[0]!;
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  await show(context, async () => {
    const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(name)}`);
    if (!view.runs) throw new Failure("refused", `${name} is of type ${view.type}, not a job`);
    if (args.has("json")) return [JSON.stringify({ app: name, runs: view.runs })];
    if (view.runs.length > 0) return runsTable(view.runs, output, Date.now());
    output.note(`${name} has not run yet`);
    return [];
  });
  return DONE;
}
