// Reads of what grows: events, the audit, logs. Most can be followed, a JSON value a line.

import type { LogStore } from "../../core/log.ts";
import { matches } from "../trust/audit.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";
import { appsShown } from "../trust/deck_shown.ts";
import { countOf, fail, stream } from "./answers.ts";
import type { HttpParts } from "./http.ts";
import { streamLogs } from "./logs.ts";

export function readEvents(parts: HttpParts, url: URL, grants: DeckGrants): Response {
  const shown = appsShown(parts.machine.state, grants);
  const app = url.searchParams.get("app") ?? undefined;
  const limit = countOf(url, "limit");
  const past = parts.events.read({ ...(app === undefined ? {} : { app }), limit })
    .filter(shown.event);
  const text = past.map((event) => `${JSON.stringify(event)}\n`).join("");
  if (url.searchParams.get("follow") !== "1") {
    return new Response(text, { headers: { "content-type": "application/x-ndjson" } });
  }
  return stream((send) => {
    for (const event of past) send(JSON.stringify(event));
    return parts.events.follow((event) => {
      if ((app === undefined || event.app === app) && shown.event(event)) {
        send(JSON.stringify(event));
      }
    });
  });
}

export async function readAudit(parts: HttpParts, url: URL, grants: DeckGrants): Promise<Response> {
  const given = (name: string) => url.searchParams.get(name) ?? undefined;
  const [app, operator] = [given("app"), given("operator")];
  const filter = {
    ...(app === undefined ? {} : { app }),
    ...(operator === undefined ? {} : { operator }),
    shows: appsShown(parts.machine.state, grants).audit,
  };
  const past = await parts.audit.read(filter, countOf(url, "limit"));
  const text = past.map((view) => `${JSON.stringify(view)}\n`).join("");
  if (url.searchParams.get("follow") !== "1") {
    return new Response(text, { headers: { "content-type": "application/x-ndjson" } });
  }
  return stream((send) => {
    for (const view of past) send(JSON.stringify(view));
    return parts.audit.follow((view) => {
      if (matches(view, filter)) send(JSON.stringify(view));
    });
  });
}

/** Every entry of the log after a sequence, a line each, as fast as it is read. */
export function streamLog(store: LogStore, from: number): Response {
  const encoder = new TextEncoder();
  let next = Number.isSafeInteger(from) && from >= 0 ? from : 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const entries = await store.read(next, 200);
      if (entries.length === 0) return controller.close();
      next = entries.at(-1)!.sequence;
      const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
      controller.enqueue(encoder.encode(text));
    },
  });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

export function readLogs(parts: HttpParts, name: string, url: URL): Response {
  if (!parts.machine.state.apps.has(name)) {
    return fail(404, `no app is named ${name}; skr8tr list shows what runs`);
  }
  const lines = countOf(url, "lines");
  const follow = url.searchParams.get("follow") === "1";
  const run = url.searchParams.get("run");
  const grep = url.searchParams.get("grep") ?? "";
  const sinceMs = Number(url.searchParams.get("since") ?? NaN);
  const sinceWallMs = sinceMs >= 0 ? parts.now().wallMs - sinceMs : -Infinity;
  return stream((send, end) =>
    streamLogs({
      ...(run === null ? {} : { run: Number(run) }),
      machine: parts.machine,
      app: name,
      lines,
      follow,
      ...(url.searchParams.has("last") ? { last: countOf(url, "last") } : {}),
      wants: ({ wallMs, line }) => wallMs >= sinceWallMs && line.includes(grep),
      seal: parts.seal,
      now: parts.now,
      watch: parts.watch,
      send: (line) => send(JSON.stringify(line)),
      end,
    })
  );
}
