import { Failure } from "../../core/errors.ts";
import type { AppView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { keyPathOf, openSigner } from "../keys.ts";
import { rolloutLines } from "../render/rollout.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

const VERBS = ["status", "pause", "resume", "undo"] as const;
type Verb = typeof VERBS[number];

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const [first, ...apps] = args.positional;
  if (!isVerb(first)) {
    const signer = openSigner(keyPathOf(args));
    signer.catch(() => {}); // told when it is needed: what is wrong with a manifest comes first
    const { up } = await import("../up.ts");
    return await up(context, signer, true);
  }
  if (apps.length === 0) throw new Failure("usage", `skr8tr rollout ${first} needs an app`);
  switch (first) {
    case "status":
      return await status(context, apps);
    case "pause":
    case "resume": {
      const { appNames, tell } = await import("../verbs.ts");
      const verb = first === "pause" ? "PAUSE" : "RESUME";
      const tellings = appNames(apps).map((app) => ({ verb, app }) as const);
      return await tell(context, tellings, first === "pause" ? "paused" : "goes on");
    }
    case "undo": {
      const [app, ...more] = apps;
      if (more.length > 0) throw new Failure("usage", "skr8tr rollout undo takes one app");
      const { redeploy } = await import("../redeploy.ts");
      return await redeploy(context, app!);
    }
    default:
      return first satisfies never;
  }
}

function isVerb(word: string | undefined): word is Verb {
  return (VERBS as readonly (string | undefined)[]).includes(word);
}

async function status(context: Context, apps: readonly string[]): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const linesOf = async (app: string) => {
    const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(app)}`);
    const { rollout = null, newest = null } = view;
    if (args.has("json")) return [JSON.stringify({ app, rollout, newest })];
    return rolloutLines(view, output, Date.now());
  };
  await show(context, async () => (await Promise.all(apps.map(linesOf))).flat());
  return DONE;
}
