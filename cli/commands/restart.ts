import type { Context } from "../command.ts";
import { appNames, tell } from "../verbs.ts";

export async function run(context: Context): Promise<number> {
  const apps = appNames(context.arguments.positional);
  const past = context.arguments.has("wait") ? "restarted" : "is being restarted";
  return await tell(context, apps.map((app) => ({ verb: "RESTART", app })), past);
}
