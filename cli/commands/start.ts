import type { Context } from "../command.ts";
import { appNames, tell } from "../verbs.ts";

export async function run(context: Context): Promise<number> {
  const apps = appNames(context.arguments.positional);
  return await tell(context, apps.map((app) => ({ verb: "START", app })), "started");
}
