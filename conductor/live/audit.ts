// Reading the audit: the newest of it, and what comes.

import type { Entry, LogStore } from "../../core/log.ts";
import type { AuditView } from "../../core/view.ts";
import { type AuditFilter, auditOfEvent, auditView, matches } from "../trust/audit.ts";
import type { State } from "../state.ts";
import type { EventHistory } from "./events.ts";

/** Refusals to strangers that are looked through, newest first. */
const REFUSALS = 10_000;

export class AuditReader {
  readonly #listeners = new Set<(view: AuditView) => void>();

  constructor(
    private readonly parts: {
      readonly store: LogStore;
      readonly events: EventHistory;
      state(): State;
    },
  ) {
    parts.events.follow((event) => this.#tell(auditOfEvent(event)));
  }

  /** An entry is durable. */
  push(entry: Entry): void {
    if (this.#listeners.size > 0) this.#tell(auditView(entry, this.parts.state().roster));
  }

  #tell(view: AuditView | null): void {
    if (view) { for (const listener of this.#listeners) listener(view); }
  }

  /** Hears everything from now on, until the returned function is called. */
  follow(listener: (view: AuditView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The newest lines, oldest first. */
  async read(filter: AuditFilter, limit: number): Promise<AuditView[]> {
    const { store, events } = this.parts;
    const { roster, head } = this.parts.state();
    const refusals = events.read({ limit: REFUSALS }).map(auditOfEvent);
    let found: AuditView[] = [];
    for (let end = head.sequence, page = 500; end > 0 && found.length < limit; page *= 2) {
      const from = Math.max(0, end - page);
      const views = (await store.read(from, end - from)).map((entry) => auditView(entry, roster));
      found = [
        ...views.filter((view) => view !== null && matches(view, filter)) as AuditView[],
        ...found,
      ];
      end = from;
    }
    const all = [...found, ...refusals.filter((view) => view !== null && matches(view, filter))];
    return (all as AuditView[]).sort((a, b) => a.wallMs - b.wallMs).slice(-limit || Infinity);
  }
}
