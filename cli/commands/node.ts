import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const [verb, member = ""] = args.positional;
  if (verb !== "forget") throw new Failure("usage", "skr8tr node knows forget");
  const { command } = await commanding(args);
  await command({ verb: "FORGET", id: commandId(), member });
  output.print(`${member} is forgotten: its key is admitted no more`);
  return DONE;
}
