import type { Context } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";
import { told } from "../told.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const scope = args.positional[0] ?? "*";
  const { command } = await commanding(args);
  await command({ verb: "REBALANCE", id: commandId(), scope });
  output.note("skr8tr events tells what moves; nothing does where nothing would gain by it");
  return told(context, { scope }, `rebalancing ${scope === "*" ? "all apps" : scope}`);
}
