import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";
import { SCRIPTS } from "../complete.ts";

export function run({ arguments: args, output }: Context): Promise<number> {
  const shell = args.positional[0]!;
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    const known = Object.keys(SCRIPTS).join(", ");
    throw new Failure("usage", `no completion is made for ${shell}; there is one for ${known}`);
  }
  output.print(script.trimEnd());
  return Promise.resolve(DONE);
}
