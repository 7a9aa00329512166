/** What is shown of operators and quotas; the shapes are in core/view.ts. */

import type { OperatorsView, QuotaView, SecretsView } from "../../core/view.ts";
import { takenOf } from "./quota.ts";
import { usersOf } from "./secrets.ts";
import type { State } from "../state.ts";

export function operatorsView(state: State): OperatorsView {
  const { roster, quotas, head } = state;
  const now = head.sequence + 1;
  return {
    insecure: roster.isOpen,
    operators: roster.keysAt(now).map(({ name, key }) => ({
      name,
      key,
      grants: roster.grantsAt(now, name).map(({ from, role, namespaces, apps, untilS }) => ({
        number: from,
        role,
        namespaces,
        apps,
        ...(untilS === undefined ? {} : { untilS }),
      })),
    })).sort((a, b) => a.name < b.name ? -1 : 1),
    quotas: [...quotas].map(([namespace, quota]) => ({ namespace, ...quota })),
  };
}

/** Also of a namespace without a quota, or without apps. */
export function quotaView(state: State, namespace: string): QuotaView {
  const quota = state.quotas.get(namespace);
  return { namespace, ...(quota ? { quota } : {}), taken: takenOf(state, namespace) };
}

/** Names, never values. */
export function secretsView(state: State): SecretsView {
  return {
    secrets: [...state.secrets.values()].map(({ namespace, secret, sequence, wallMs }) => ({
      namespace,
      secret,
      sequence,
      wallMs,
      apps: usersOf(state, namespace, secret),
    })).sort((a, b) => `${a.namespace} ${a.secret}` < `${b.namespace} ${b.secret}` ? -1 : 1),
  };
}
