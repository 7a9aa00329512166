/** What of samples and events is shown to somebody who is shown only some namespaces. */

import type { DeckSample } from "../../core/deck_view.ts";
import type { EventView } from "../../core/view.ts";
import { namespaceOf } from "./auth.ts";
import { type DeckGrants, shows, showsAudit } from "./deck_grants.ts";
import type { State } from "../state.ts";

export function appsShown(state: State, grants: DeckGrants) {
  const all = shows(grants);
  /** An app that is not known any more is nobody's. */
  const app = (name: string) => all || shows(grants, namespaceOf(state, name) ?? "");
  return {
    app,
    /** What concerns no app concerns all of them. */
    event: (event: EventView) => all || (event.app !== undefined && app(event.app)),
    sample: (sample: DeckSample): DeckSample =>
      all ? sample : {
        ...sample,
        apps: Object.fromEntries(Object.entries(sample.apps).filter(([name]) => app(name))),
        ...(sample.routes ? { routes: sample.routes.filter((route) => app(route.app)) } : {}),
      },
    /** Lines of the audit. */
    audit: ({ app }: { readonly app?: string }) =>
      showsAudit(grants, app === undefined ? undefined : namespaceOf(state, app)),
  };
}
