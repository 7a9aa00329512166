import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const scope = args.positional[0] ?? "*";
  const { command } = await commanding(args);
  await command({ verb: "REBALANCE", id: commandId(), scope });
  output.print(scope === "*" ? "rebalancing all apps" : `rebalancing ${scope}`);
  output.note("skr8tr events tells what moves; nothing does where nothing would gain by it");
  return DONE;
}
