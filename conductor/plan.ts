/**
 * From buckets to one decision: nodes are chosen, ids given, and every operation gets a line that
 * says what and why. What `--dry-run` prints is this, and so is what is executed.
 */

import type { EntryBody, Place } from "../core/log.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { choose } from "./choose.ts";
import type { Ledger } from "./ledger.ts";
import type { Buckets } from "./reconcile.ts";
import { type App, currentOf } from "./state.ts";

export type Decision = Extract<EntryBody, { kind: "decision" }>;

/** What is to be done about one app. */
export interface Plan {
  readonly decision: Decision;
  /** For each replica that found no node: why, node by node. */
  readonly unplaced: readonly string[];
}

/** What one planned app has booked in the ledger, to be given back or kept. */
export interface Booking {
  readonly node: string;
  readonly spec: AppSpec;
}

/**
 * Chooses nodes for the buckets of one app. What it chooses is booked in `ledger` and noted in
 * `bookings`, so that the next app of the same round sees it; the caller gives it back.
 *
 * @param mayPlace false while some known node has not reported yet: placing waits for it.
 */
export function planApp(
  app: App,
  buckets: Buckets,
  ledger: Ledger,
  bookings: Booking[],
  mayPlace: boolean,
): Plan {
  const { spec, generation, sequence } = currentOf(app);
  const asked = mayPlace ? buckets.place.length : 0;
  const { choices, refusals } = choose(spec, asked, ledger, app.home);
  const place = choices.map((choice, at): Place => {
    bookings.push({ node: choice.node, spec });
    const replica = `${app.name}.${app.placed + at + 1}`;
    const index = buckets.place[at]!;
    return { replica, app: app.name, generation, sequence, index, node: choice.node };
  });
  const leave = [...buckets.leave, ...freeFixedPort(app, spec, buckets, place.length < asked)];
  const name = (node: string) => ledger.node(node).name;
  const nodeOf = (replica: string) => name(app.placements.get(replica)?.node ?? "");
  return {
    decision: {
      kind: "decision",
      place,
      leave: leave.map((each) => each.replica),
      gone: buckets.gone.map((each) => each.replica),
      reasons: [
        ...place.map((each, at) =>
          `place ${each.replica} on ${name(each.node)}: ${choices[at]!.reason}`
        ),
        ...leave.map((each) => `stop ${each.replica} on ${nodeOf(each.replica)}: ${each.reason}`),
        ...buckets.gone.map((each) => `forget ${each.replica}: ${each.reason}`),
      ],
    },
    unplaced: place.length < asked
      ? buckets.place.slice(place.length).map((index) =>
        `cannot place replica ${index} of ${app.name}: ${refusals.join("; ")}`
      )
      : [],
  };
}

/**
 * A port that is fixed cannot be had twice on a node, so where every node refuses the new
 * generation and the old one holds such a port, one old replica goes first after all.
 */
function freeFixedPort(app: App, spec: AppSpec, buckets: Buckets, refused: boolean) {
  if (!refused || !spec.port?.fixed || buckets.leave.length > 0) return [];
  const placements = [...app.placements.values()];
  if (placements.some((each) => each.leaving)) return [];
  const old = placements.find((each) => each.generation !== currentOf(app).generation);
  if (!old) return [];
  const reason = `port ${spec.port.number} is fixed and has to be free first`;
  return [{ replica: old.replica, reason }];
}

/** Several apps' decisions as one entry. */
export function mergeDecisions(decisions: readonly Decision[]): Decision {
  return {
    kind: "decision",
    place: decisions.flatMap((each) => each.place),
    leave: decisions.flatMap((each) => each.leave),
    gone: decisions.flatMap((each) => each.gone),
    reasons: decisions.flatMap((each) => each.reasons),
  };
}

export function isEmpty(decision: Decision): boolean {
  return decision.place.length + decision.leave.length + decision.gone.length === 0;
}
