// Reads below /api/apps/<app>/: manifest, history, one generation with what was signed, and why.

import { EVENTS } from "../../core/limits.ts";
import { historyView, signedGenerationView, whyView } from "../rollouts/rollout_views.ts";
import { type App, currentOf, generationOf } from "../state.ts";
import { appView } from "../views/views.ts";
import type { HttpParts } from "./http.ts";

/** The answer to a path below an app; `null` where nothing is there. */
export async function readBelowApp(
  parts: HttpParts,
  app: App,
  path: readonly string[],
): Promise<Response | null> {
  const [what, number, ...more] = path;
  if (more.length > 0) return null;
  if (what === "history" && number === undefined) return Response.json(historyView(app));
  if (what === "manifest" && number === undefined) {
    return Response.json({ manifest: currentOf(app).manifest });
  }
  if (what === "why" && number === undefined) {
    const events = parts.events.read({ app: app.name, limit: EVENTS });
    return Response.json(whyView(appView(parts.machine, app, parts.now()), app, events));
  }
  if (what !== "generations" || number === undefined) return null;
  const generation = Number(number);
  const known = generationOf(app, generation);
  const view = known &&
    signedGenerationView(app, generation, await parts.followers.record(known.sequence));
  if (view) return Response.json(view);
  const kept = app.generations.map((each) => each.generation);
  const error = `${app.name} has no generation ${number}; it keeps ${kept[0]} to ${kept.at(-1)}`;
  return Response.json({ error }, { status: 404 });
}
