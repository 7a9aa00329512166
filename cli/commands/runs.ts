import { Failure } from "../../core/errors.ts";
import type { AppView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { runsTable } from "../render/runs.ts";
import { targetOf } from "../target.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const name = args.positional[0]!;
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(name)}`);
  if (!view.runs) throw new Failure("refused", `${name} is of type ${view.type}, not a job`);
  if (args.has("json")) output.print(JSON.stringify({ app: name, runs: view.runs }));
  else if (view.runs.length === 0) output.note(`${name} has not run yet`);
  else for (const line of runsTable(view.runs, output, Date.now())) output.print(line);
  return DONE;
}
