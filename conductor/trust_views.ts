/** What is shown of operators and quotas; the shapes are in core/view.ts. */

import type { OperatorsView, SecretsView } from "../core/view.ts";
import { usersOf } from "./secrets.ts";
import type { State } from "./state.ts";

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
