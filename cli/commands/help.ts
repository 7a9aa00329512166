import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";
import { helpOf, helpOfAll } from "../help.ts";
import { findCommand } from "../table.ts";

export function run({ arguments: args, output }: Context): Promise<number> {
  const [name] = args.positional;
  const command = name === undefined ? undefined : findCommand(name);
  if (name !== undefined && !command) {
    throw new Failure("usage", `skr8tr has no command ${name}; skr8tr help lists them`);
  }
  const width = Math.min(output.columns, 100);
  output.print(command ? helpOf(command, width) : helpOfAll(width));
  return Promise.resolve(DONE);
}
