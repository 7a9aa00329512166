/** Whether an operator may do what their command says: role, namespace, app, time. */

import { NEEDED_ROLE, reachOf } from "../../core/authority.ts";
import { type OperatorCommand, parseOperatorCommand } from "../../core/command.ts";
import { currentOf, type State } from "../state.ts";

/** The namespace of an app that is known. */
export function namespaceOf(state: State, name: string): string | undefined {
  const app = state.apps.get(name);
  return app && currentOf(app).spec.namespace;
}

/** A command whose signature is good, as it waits to be judged. */
export interface Claim {
  /** The operator's fingerprint. */
  readonly key: string;
  /** Without time and signature. */
  readonly command: string;
  /** What a v1 command by path has found there, once that is known. */
  readonly manifest?: string;
}

/** Why the operator may not do this, now; `null` where they may. The words are for the audit. */
export function whyUnauthorised(state: State, claim: Claim, wallMs: number): string | null {
  const command = parseOperatorCommand(claim.command);
  if ("error" in command) return null;
  const { roster, head } = state;
  const sequence = head.sequence + 1;
  const unixS = wallMs / 1000;
  if (command.verb === "ROTATE" && roster.nameAt(sequence, claim.key) === command.name) return null;
  const needed = NEEDED_ROLE[command.verb];
  if (byPath(command) && claim.manifest === undefined) {
    return roster.whyNot(sequence, claim.key, needed, null, unixS);
  }
  const reach = reachOf(command, (app) => namespaceOf(state, app), claim.manifest);
  const wrong = roster.whyNot(sequence, claim.key, needed, reach, unixS);
  if (wrong !== null || reach.app === undefined) return wrong;
  // An app that lies in another namespace is taken from there: that must be allowed, too.
  const from = namespaceOf(state, reach.app);
  if (from === undefined || from === reach.namespace) return null;
  return roster.whyNot(sequence, claim.key, needed, { ...reach, namespace: from }, unixS);
}

/** Why this key may not look; `null` where it may. */
export function whyNoReader(state: State, key: string, wallMs: number): string | null {
  return state.roster.whyNot(state.head.sequence + 1, key, "viewer", {}, wallMs / 1000);
}

function byPath(command: OperatorCommand): boolean {
  return command.verb === "SUBMIT" || command.verb === "ROLLOUT";
}
