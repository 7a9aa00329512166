import type { NodeView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { nodesTable } from "../render/views.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, v1NodesLines } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  await show(context, async () => {
    const answer = await httpOrV1<{ nodes: NodeView[] }>(target, "/api/nodes", "NODES");
    if ("reply" in answer) return v1NodesLines(answer.reply, context);
    if (args.has("json")) return [JSON.stringify(answer.view)];
    if (answer.view.nodes.length > 0) return nodesTable(answer.view.nodes, output);
    output.note("no nodes have joined");
    return [];
  });
  return DONE;
}
