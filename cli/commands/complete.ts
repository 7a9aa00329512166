import { Failure } from "../../core/errors.ts";
import { allKeys } from "../../core/manifest/explain.ts";
import type { StatusView } from "../../core/view.ts";
import { type Completes, type Context, DONE } from "../command.ts";
import { candidatesOf } from "../complete.ts";
import { conductorAt } from "../conductor.ts";
import { targetOf } from "../target.ts";

/** Whoever waits for a completion does not wait for a silent cluster, ms. */
const PATIENCE_MS = 500;

/** What shells call: candidates for the last word, one a line; `:files` leaves it to the shell. */
export async function run({ arguments: args, output }: Context): Promise<number> {
  const typed = args.positional.at(-1) ?? "";
  const candidates = candidatesOf(args.positional);
  if (candidates.of === "nothing") return DONE;
  if (candidates.of === "file") {
    output.print(":files");
    return DONE;
  }
  const words = candidates.of === "words"
    ? candidates.words
    : candidates.of === "key"
    ? allKeys().map((key) => key.path)
    : await namesOf(candidates.of, targetOf(args));
  for (const word of new Set(words)) if (word.startsWith(typed)) output.print(word);
  return DONE;
}

async function namesOf(
  kind: Exclude<Completes, "file" | "key">,
  target: ReturnType<typeof targetOf>,
): Promise<readonly string[]> {
  try {
    const conductor = conductorAt(target.conductor, PATIENCE_MS);
    const replicas = kind === "replica" || kind === "any" ? "" : "?replicas=0";
    const { apps, nodes } = await conductor.get<StatusView>(`/api/status${replicas}`);
    const ofApps = apps.map((app) => app.app);
    const ofNodes = nodes.map((node) => node.name);
    const ofReplicas = apps.flatMap((app) => app.replicas).map((replica) => replica.replica);
    switch (kind) {
      case "app":
        return ofApps;
      case "node":
        return ofNodes;
      case "replica":
        return [...ofApps, ...ofReplicas];
      case "any":
        return [...ofApps, ...ofNodes, ...ofReplicas];
      default:
        return kind satisfies never;
    }
  } catch (error) {
    // Nobody answers: nothing is offered, and the shell stays quiet.
    if (error instanceof Failure) return [];
    throw error;
  }
}
