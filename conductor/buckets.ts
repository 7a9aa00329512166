/** What is to be done about one app, whatever its kind: the comparison of `reconcile()` with moves. */

import type { Ledger } from "./placement/ledger.ts";
import { whyMove, withMoves } from "./placement/moves.ts";
import { type Buckets, reconcile, type Sight } from "./reconcile.ts";
import { type App, currentOf, type State } from "./state.ts";
import { compareSystem, seatsOf } from "./placement/system.ts";

/** What an app is compared within: the cluster as it is, or as it might be. */
export interface Setting {
  readonly state: Pick<State, "bars">;
  readonly ledger: Ledger;
  /** Whether the node counts as there: not dead, though perhaps silent for a moment. */
  isPresent(node: string): boolean;
}

export function bucketsOf(
  app: App,
  sights: readonly Sight[],
  setting: Setting,
  compare: (app: App, sights: readonly Sight[]) => Buckets = (app, sights) =>
    reconcile(app, sights, []),
): Buckets {
  if (currentOf(app).spec.type === "system") {
    return compareSystem(app, sights, systemSeats(app, setting), compare);
  }
  const why = (sight: Sight) => whyMove(setting.state, app, sight);
  return withMoves(app, sights, why, (visible) => compare(app, visible));
}

/** The nodes that have, or shall have, a replica of this system app. */
export function systemSeats(app: App, setting: Setting) {
  const seats = setting.ledger.all().map((node) => ({
    node,
    present: setting.isPresent(node.id),
  }));
  const isDraining = (node: string) => setting.state.bars.get(node)?.kind === "draining";
  return seatsOf(currentOf(app).spec, seats, isDraining);
}
