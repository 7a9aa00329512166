/**
 * What somebody who came in by single sign-on is shown: the groups that the issuer says they are in
 * give grants, each of a role in some namespaces. All roles look; an `admin` sees the audit, too.
 */

import type { Role } from "../../core/roster.ts";

export interface DeckGrant {
  readonly role: Role;
  /** Empty: all. */
  readonly namespaces: readonly string[];
}

/** `null`: an operator, who has signed with a key and is shown everything. */
export type DeckGrants = readonly DeckGrant[] | null;

/** Says whether the apps of a namespace are shown; `undefined`: of all that there are. */
export function shows(grants: DeckGrants, namespace?: string): boolean {
  return grants === null || grants.some((grant) => covers(grant, namespace));
}

/** The same of the audit. */
export function showsAudit(grants: DeckGrants, namespace?: string): boolean {
  return grants === null ||
    grants.some((grant) => grant.role === "admin" && covers(grant, namespace));
}

/** Says whether some part of the audit is shown. */
export function isAuditor(grants: DeckGrants): boolean {
  return grants === null || grants.some(({ role }) => role === "admin");
}

/** In words, for the audit: `admin, viewer of shop and bank`. */
export function grantsText(grants: readonly DeckGrant[]): string {
  return grants.map(({ role, namespaces }) =>
    namespaces.length === 0 ? role : `${role} of ${namespaces.join(" and ")}`
  ).join(", ");
}

function covers({ namespaces }: DeckGrant, namespace: string | undefined): boolean {
  if (namespaces.length === 0) return true;
  return namespace !== undefined && namespaces.includes(namespace);
}
