// Reads of what was gathered of all apps: lines, the traces and values that they tell of, and how apps
// answered.

import { METRICS_SHOWN, TRACES_SHOWN } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";
import { appsShown } from "../trust/deck_shown.ts";
import { countOf, fail, stream } from "./answers.ts";
import type { HttpParts } from "./http.ts";
import type { Telemetry } from "./telemetry.ts";
import { isFound } from "./telemetry_store.ts";

/**
 * Answers what is at or below `/api/telemetry`.
 *
 * @param path the words after that
 * @param grants what is shown, where that is not everything
 */
export async function readTelemetry(
  parts: HttpParts,
  path: readonly string[],
  url: URL,
  grants: DeckGrants,
): Promise<Response> {
  const { telemetry, machine, now } = parts;
  const shows = appsShown(machine.state, grants).app;
  const [what, id, ...more] = path;
  const app = url.searchParams.get("app") ?? undefined;
  if (what === undefined && !shows(app ?? "")) {
    return fail(403, "your groups do not let you see the logs of all apps: name one of yours");
  }
  if (!telemetry) {
    return fail(404, "this conductor gathers no logs; start it with --telemetry 256mb");
  }
  const { wallMs } = now();
  if (more.length === 0 && what === "traces" && id !== undefined) {
    const spans = telemetry.traces.trace(id, shows);
    if (spans.length > 0) return Response.json({ spans });
    return fail(404, `no trace ${id} is kept: the newest are, and the slowest of each minute`);
  }
  if (id !== undefined) return fail(404, `nothing is at ${url.pathname}`);
  switch (what) {
    case undefined:
      return await searchLogs(telemetry, url, wallMs);
    case "apps": {
      const apps = telemetry.spanSeries.totals(wallMs).filter((each) => shows(each.app));
      return Response.json({ apps });
    }
    case "series":
      if (app !== undefined && shows(app)) {
        return Response.json(telemetry.spanSeries.series(app, wallMs));
      }
      return app === undefined
        ? fail(400, "name an app: ?app=NAME")
        : fail(404, `no app is named ${app}; skr8tr list shows what runs`);
    case "metrics": {
      if (app === undefined) {
        const apps = telemetry.metrics.totals(wallMs).filter((each) => shows(each.app));
        return Response.json({ apps });
      }
      if (!machine.state.apps.has(app) || !shows(app)) {
        return fail(404, `no app is named ${app}; skr8tr list shows what runs`);
      }
      const [name, replica] = ["name", "replica"].map((each) => url.searchParams.get(each));
      const search = { ...(name ? { name } : {}), ...(replica ? { replica } : {}) };
      const limit = Math.min(METRICS_SHOWN, countOf(url, "limit"));
      return Response.json(telemetry.metrics.of(app, { ...search, limit }, wallMs));
    }
    case "traces": {
      const sinceMs = Number(url.searchParams.get("since") ?? NaN);
      const traces = telemetry.traces.slowest({
        ...(app === undefined ? {} : { app }),
        ...(sinceMs >= 0 ? { sinceWallMs: wallMs - sinceMs } : {}),
        failed: url.searchParams.get("failed") === "1",
        limit: Math.min(TRACES_SHOWN, countOf(url, "limit")),
        shows,
      });
      return Response.json({ traces });
    }
    default:
      return fail(404, `nothing is at ${url.pathname}`);
  }
}

/** What was gathered of all logs. */
async function searchLogs(telemetry: Telemetry, url: URL, nowWallMs: number): Promise<Response> {
  const query = (name: string) => url.searchParams.get(name) ?? undefined;
  const [app, node, grep] = [query("app"), query("node"), query("grep")];
  const sinceMs = Number(query("since") ?? NaN);
  const wanted = {
    ...(app === undefined ? {} : { app }),
    ...(node === undefined ? {} : { node }),
    ...(grep === undefined ? {} : { grep }),
    ...(sinceMs >= 0 ? { sinceWallMs: nowWallMs - sinceMs } : {}),
  };
  // What comes while it is searched is told after what was found.
  const fresh: LogView[] = [];
  let hear = (line: LogView): void => void fresh.push(line);
  const stop = telemetry.follow((line) => isFound(line, wanted) && hear(line));
  const lines = await telemetry.search({ ...wanted, limit: countOf(url, "lines") });
  if (query("follow") === "1") {
    return stream((send) => {
      hear = (line) => send(JSON.stringify(line));
      for (const line of [...lines, ...fresh]) hear(line);
      return stop;
    });
  }
  stop();
  return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""), {
    headers: { "content-type": "application/x-ndjson" },
  });
}
