import { VERSION } from "../../core/version.ts";
import { type Context, DONE } from "../command.ts";

export function run({ arguments: args, output }: Context): Promise<number> {
  output.print(args.has("json") ? JSON.stringify({ version: VERSION }) : `skr8tr ${VERSION}`);
  return Promise.resolve(DONE);
}
