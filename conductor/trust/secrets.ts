/** Secrets as the log has them: sealed; and who may have which. */

import type { OperatorCommand } from "../../core/command.ts";
import { SECRETS } from "../../core/limits.ts";
import type { Entry } from "../../core/log.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { secretKey, secretUseOf } from "../../core/secret.ts";
import type { Outcome } from "../commands.ts";
import { beginRestart } from "../rollouts/rollout_state.ts";
import { currentOf, generationOf, placementOf, type State } from "../state.ts";

export interface StoredSecret {
  readonly namespace: string;
  readonly secret: string;
  /** Sealed to the conductor's secret key, base64. */
  readonly sealed: string;
  /** Where in the log it was set. */
  readonly sequence: number;
  readonly wallMs: number;
}

type SecretCommand = Extract<OperatorCommand, { verb: "SECRET" | "UNSECRET" }>;

export function judgeSecret(state: State, command: SecretCommand): Outcome {
  const { namespace, secret, verb } = command;
  const isKnown = state.secrets.has(secretKey(namespace, secret));
  if (verb === "UNSECRET" && !isKnown) {
    return { kind: "refuse", reply: `ERR|not found: ${secret} in namespace ${namespace}` };
  }
  if (!isKnown && state.secrets.size >= SECRETS) {
    return { kind: "refuse", reply: `ERR|LIMIT|there are ${SECRETS} secrets already` };
  }
  return {
    kind: "commit",
    reply: `OK|${verb}|${namespace}|${secret}`,
    summary: `${verb === "SECRET" ? "set" : "remove"} secret ${secret} in namespace ${namespace}`,
  };
}

/** Apps that are up and use the secret. */
export function usersOf(state: State, namespace: string, secret: string): string[] {
  return [...state.apps.values()].filter((app) => {
    if (app.down) return false;
    const { spec } = currentOf(app);
    return spec.namespace === namespace &&
      Object.values(spec.secrets).some((value) => secretUseOf(value).secret === secret);
  }).map((app) => app.name);
}

/** Puts the change into the state; the apps that it restarts, one replica after another, come back. */
export function applySecret(state: State, entry: Entry, command: SecretCommand): string[] {
  const { namespace, secret } = command;
  const key = secretKey(namespace, secret);
  if (command.verb === "UNSECRET") {
    state.secrets.delete(key);
    return [];
  }
  const { sequence, wallMs } = entry;
  state.secrets.set(key, { namespace, secret, sealed: command.sealed, sequence, wallMs });
  const users = usersOf(state, namespace, secret);
  for (const name of users) {
    const app = state.apps.get(name)!;
    beginRestart(app, currentOf(app).generation, { sequence, wallMs });
  }
  return users;
}

/** Why no node could start a replica of this app: a secret that it names was never set. */
export function missingSecret(
  state: Pick<State, "secrets">,
  { secrets, namespace }: Pick<AppSpec, "secrets" | "namespace">,
): string | null {
  for (const value of Object.values(secrets)) {
    const { secret } = secretUseOf(value);
    if (!state.secrets.has(secretKey(namespace, secret))) return noSecret(namespace, secret);
  }
  return null;
}

function noSecret(namespace: string, secret: string): string {
  return `there is no secret ${secret} in namespace ${namespace}; skr8tr secret set ${secret} sets it`;
}

/** What is to be sealed to a node for one of its replicas. */
export type Handing =
  | { readonly secrets: readonly (readonly [variable: string, stored: StoredSecret])[] }
  /** @property again whether it may become possible soon */
  | { readonly reason: string; readonly again: boolean };

/** Which secrets the node may have for the replica: those that its manifest names, if it runs there. */
export function handingOf(state: State, node: string, replica: string): Handing {
  const place = placementOf(state, replica);
  if (place?.node !== node) {
    return { reason: `${replica} is not placed on this node`, again: false };
  }
  const app = state.apps.get(place.app);
  const spec = app && generationOf(app, place.generation)?.spec;
  if (!spec) return { reason: `${replica} has no manifest any more`, again: false };
  const secrets: [string, StoredSecret][] = [];
  for (const [variable, value] of Object.entries(spec.secrets)) {
    const { secret } = secretUseOf(value);
    const stored = state.secrets.get(secretKey(spec.namespace, secret));
    if (!stored) return { reason: noSecret(spec.namespace, secret), again: false };
    secrets.push([variable, stored]);
  }
  return { secrets };
}
