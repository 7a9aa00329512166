import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { allNodes, type NodesPage, nodesPath } from "../pages.ts";
import { nodesTable } from "../render/views.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, v1NodesLines } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  await show(context, async () => {
    const answer = await httpOrV1<NodesPage>(target, nodesPath(), "NODES");
    if ("reply" in answer) return v1NodesLines(answer.reply, context);
    const nodes = await allNodes(conductorAt(target.conductor, target.timeoutMs), answer.view);
    if (args.has("json")) return [JSON.stringify({ nodes })];
    if (nodes.length > 0) return nodesTable(nodes, output);
    output.note("no nodes have joined");
    return [];
  });
  return DONE;
}
