/** The log as its readers see it: who did what, when, and what was refused. */

import { parseOperatorCommand } from "../../core/command.ts";
import type { Entry } from "../../core/log.ts";
import type { AuditView, EventView } from "../../core/view.ts";
import type { Roster } from "../../core/roster.ts";

export interface AuditFilter {
  readonly app?: string;
  /** A name, or the beginning of a key's fingerprint. */
  readonly operator?: string;
  /** Whether a line is for whoever asks; absent: all are. */
  shows?(view: AuditView): boolean;
}

/** What the audit tells of an entry; `null` for what no operator and no node has done. */
export function auditView(entry: Entry, roster: Roster): AuditView | null {
  const { sequence, wallMs, body } = entry;
  const at = { sequence, wallMs };
  switch (body.kind) {
    case "command": {
      const { text, key } = body.signed;
      const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
      const operator = roster.nameOf(key) ?? key.slice(0, 12);
      const app = "app" in command ? { app: command.app } : {};
      const verb = "verb" in command ? command.verb : text.split("|", 1)[0]!;
      return { ...at, kind: "command", verb, operator, key, ...app, text: body.audit };
    }
    case "refused": {
      const operator = roster.nameOf(body.key) ?? body.key.slice(0, 12);
      return { ...at, kind: "refused", operator, key: body.key, text: body.audit };
    }
    case "node":
      return { ...at, kind: "joined", text: `node ${body.name} (${body.node}) joined` };
    case "node-key":
      return { ...at, kind: "node-key", text: `node ${body.node} has shown its secret key` };
    case "roots":
      return {
        ...at,
        kind: "roots",
        text: `admin by --pubkey: ${body.roots.map(([key]) => key.slice(0, 12)).join(", ")}`,
      };
    case "term":
      return { ...at, kind: "term", text: leadsText(body) };
    case "recovered":
      return {
        ...at,
        kind: "recovered",
        text: `the log was rebuilt from the copy of ${body.node}, up to record ${body.last}`,
      };
    case "sign-in":
      return { ...at, kind: "sign-in", operator: body.name, text: body.audit };
    default:
      return null;
  }
}

/** For people: who leads, of several conductors. */
export function leadsText(
  { name, term }: { readonly name: string; readonly term: number },
): string {
  return `conductor ${name} leads from here on (term ${term})`;
}

/** What the history tells of refusals to strangers, who are in no log. */
export function auditOfEvent(event: EventView): AuditView | null {
  if (event.kind !== "refused") return null;
  return { wallMs: event.wallMs, kind: "refused", text: event.text };
}

export function matches(view: AuditView, filter: AuditFilter): boolean {
  const { app, operator } = filter;
  if (filter.shows?.(view) === false) return false;
  if (app !== undefined && view.app !== app) return false;
  if (operator === undefined) return true;
  return view.operator === operator || (view.key?.startsWith(operator) ?? false);
}
