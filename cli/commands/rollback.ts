import { Failure } from "../../core/errors.ts";
import type { Context } from "../command.ts";
import { redeploy } from "../redeploy.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const [app = ""] = args.positional;
  const to = args.value("to");
  if (to === undefined) {
    throw new Failure("usage", `give --to GENERATION; skr8tr history ${app} lists them`);
  }
  return await redeploy(context, app, args.integer("to", 1, 999_999_999, 1));
}
