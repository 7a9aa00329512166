/** What is shown of operators and quotas; the shapes are in core/view.ts. */

import type { OperatorsView } from "../core/view.ts";
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
