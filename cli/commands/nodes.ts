import type { NodeView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { nodesTable } from "../render/views.ts";
import { targetOf } from "../target.ts";
import { httpOrV1, printV1Nodes } from "../v1.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const answer = await httpOrV1<{ nodes: NodeView[] }>(targetOf(args), "/api/nodes", "NODES");
  if ("reply" in answer) printV1Nodes(answer.reply, context);
  else if (args.has("json")) output.print(JSON.stringify(answer.view));
  else if (answer.view.nodes.length === 0) output.note("no nodes have joined");
  else nodesTable(answer.view.nodes, output).forEach((line) => output.print(line));
  return DONE;
}
