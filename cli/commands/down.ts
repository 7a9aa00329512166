import { Failure } from "../../core/errors.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const apps = await appNames(args.positional);
  const commanded = await commanding(args);
  const results: { app: string; ok: boolean; reason?: string }[] = [];
  for (const app of apps) {
    const reply = await commanded.reply({ verb: "DOWN", id: commandId(), app });
    if (reply.ok) results.push({ app, ok: true });
    else if (reply.code.startsWith("not found")) {
      results.push({ app, ok: false, reason: "no such app is up" });
    } else throw commanded.refusal(reply);
    if (args.has("json")) continue;
    const { ok, reason } = results.at(-1)!;
    if (ok) output.print(`${app} down`);
    else output.note(`${output.notePaint.bad("error:")} ${app}: ${reason}`);
  }
  if (args.has("json")) output.print(JSON.stringify({ apps: results }));
  return results.every(({ ok }) => ok) ? DONE : FAILED;
}

/** The apps that the arguments stand for; those of a file in reverse, so that needs go last. */
async function appNames(positional: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const text of positional) {
    if (text.endsWith(".skr8tr")) {
      const { appsOf } = await import("../manifests.ts");
      names.push(...(await appsOf([text])).map((spec) => spec.name).reverse());
    } else if (/^[a-z][a-z0-9-]{0,62}$/.test(text)) {
      names.push(text);
    } else {
      throw new Failure("usage", `${text} is neither the name of an app nor a .skr8tr file`);
    }
  }
  return [...new Set(names)];
}
