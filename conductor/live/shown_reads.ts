// Reads of somebody who came in by single sign-on: what their grants show, and no more.

import { type DeckGrant, isAuditor, shows, showsAudit } from "../trust/deck_grants.ts";
import { appsShown } from "../trust/deck_shown.ts";
import { fail } from "./answers.ts";
import { type HttpParts, read } from "./http.ts";

/** What is the whole cluster's. */
const OF_ALL: readonly string[] = ["nodes", "volumes", "what-if"];
/** What tells of operators, as the audit does. */
const OF_OPERATORS: readonly string[] = ["log", "operators", "quotas", "secrets"];

export async function readShown(
  parts: HttpParts,
  request: Request,
  url: URL,
  grants: readonly DeckGrant[],
): Promise<Response> {
  const [api, kind = "", name] = url.pathname.slice(1).split("/");
  if (request.method !== "GET" || api !== "api") {
    return fail(403, "single sign-on only shows the deck; this needs an operator's key");
  }
  const shown = appsShown(parts.machine.state, grants);
  const refused = (what: string) => fail(403, `your groups do not let you see ${what}`);
  switch (kind) {
    case "status":
    case "sample":
    case "events":
    case "load":
    case "traffic":
    case "routes":
    case "telemetry":
      return await read(parts, url, grants);
    case "audit":
      return isAuditor(grants) ? await read(parts, url, grants) : refused("the audit");
    case "apps":
    case "logs":
      if (name === undefined || shown.app(name)) return await read(parts, url, grants);
      return fail(404, `no app is named ${name}; skr8tr list shows what runs`);
    default:
      if (OF_ALL.includes(kind)) return shows(grants) ? await read(parts, url) : refused(kind);
      if (!OF_OPERATORS.includes(kind)) return fail(404, `nothing is at ${url.pathname}`);
      return showsAudit(grants) ? await read(parts, url) : refused(kind);
  }
}
