/**
 * Replicas that are to leave their node though nothing is wrong with them: it is being drained, or a
 * better place is free, or their volume's home was given up. They are replaced one after another, the
 * new one first, as far as the app allows two at a time.
 *
 * This goes around `reconcile()`: a replica whose replacement is there already is not shown to it, so
 * that the replacement counts as the one that is wanted; and where it has nothing to do by itself, the
 * next replacements are added to what it says.
 */

import type { Buckets, Operation, Sight } from "../reconcile.ts";
import { type App, currentOf, existsOnce, isOutdated, type State } from "../state.ts";

/** Why a replica is to leave its node; `null` where it may stay. */
export type WhyMove = (sight: Sight) => string | null;

/** Why this replica shall live elsewhere, as the log has it. */
export function whyMove(
  state: Pick<State, "bars">,
  app: App,
  { placement, nodeName }: Sight,
): string | null {
  const { node } = placement;
  if (state.bars.size > 0 && state.bars.get(node)?.kind === "draining" && app.home !== node) {
    return `${nodeName} is being drained`;
  }
  return placement.moving ? "a better place is free" : null;
}

/** Compares the app as `compare` does, with moves. */
export function withMoves(
  app: App,
  sights: readonly Sight[],
  whyMove: WhyMove,
  compare: (visible: readonly Sight[]) => Buckets,
): Buckets {
  const reasons = new Map<Sight, string>();
  for (const sight of sights) {
    if (sight.placement.part !== undefined) continue;
    const reason = sight.placement.leaving ? null : releasedText(app, sight) ?? whyMove(sight);
    if (reason !== null) reasons.set(sight, reason);
  }
  const replaced = reasons.size === 0 ? new Map() : replacements(app, sights, reasons);
  const visible = replaced.size === 0 ? sights : sights.filter((sight) => !replaced.has(sight));
  const buckets = compare(visible);
  const moved = reasons.size === 0 ? buckets : addMoves(app, sights, reasons, replaced, buckets);
  return holdBack(app, sights, moved);
}

/**
 * Mover -> the replica that takes its place. What a rollout or a restart replaces is its business: of
 * a restarted app old and new are of one generation.
 */
function replacements(
  app: App,
  sights: readonly Sight[],
  reasons: ReadonlyMap<Sight, string>,
): Map<Sight, Sight> {
  const fresh = new Map<string, Sight>();
  const keyOf = ({ placement: { generation, index } }: Sight) => `${generation}/${index}`;
  for (const sight of sights) {
    const { leaving, part } = sight.placement;
    if (leaving || part !== undefined || isOutdated(app, sight.placement)) continue;
    if (!reasons.has(sight)) fresh.set(keyOf(sight), sight);
  }
  const found = new Map<Sight, Sight>();
  for (const mover of reasons.keys()) {
    if (isOutdated(app, mover.placement)) continue;
    const replacement = fresh.get(keyOf(mover));
    if (!replacement) continue;
    found.set(mover, replacement);
    fresh.delete(keyOf(mover));
  }
  return found;
}

function addMoves(
  app: App,
  sights: readonly Sight[],
  reasons: ReadonlyMap<Sight, string>,
  replaced: ReadonlyMap<Sight, Sight>,
  buckets: Buckets,
): Buckets {
  const { spec } = currentOf(app);
  const leave: Operation[] = [];
  const operation = (sight: Sight): Operation => ({
    replica: sight.placement.replica,
    reason: reasons.get(sight)!,
  });
  // Without a health check nothing but time tells whether the new one is any good.
  const mustStandMs = spec.health ? 1 : Math.max(1, spec.rollout.settleMs);
  let againMs = buckets.againMs ?? Infinity;
  let underWay = 0;
  for (const [mover, replacement] of replaced) {
    const stoodMs = isServing(replacement) ? replacement.readyForMs : 0;
    if (stoodMs >= mustStandMs || !isServing(mover)) leave.push(operation(mover));
    else {
      underWay++;
      if (stoodMs > 0) againMs = Math.min(againMs, mustStandMs - stoodMs);
    }
  }
  // There is nothing to be gained by their leaving one after another: none may start before the last.
  for (const [mover] of reasons) {
    if (releasedText(app, mover) !== null && !replaced.has(mover)) leave.push(operation(mover));
  }
  const isQuiet = buckets.place.length + buckets.leave.length === 0 && !isBusy(buckets);
  // What a paused rollout fills up is of the generation before; what moves stays what it is.
  const { placeGeneration, ...others } = buckets;
  const place = [...buckets.place];
  const move: Operation[] = [];
  if (isQuiet) {
    const out = sights.filter((sight) => sight.placement.leaving).length + leave.length;
    const isStopFirst = spec.rollout.order === "stop-first" || existsOnce(spec);
    let room = spec.rollout.batch - (isStopFirst ? out : underWay);
    for (const [mover] of reasons) {
      if (room <= 0) break;
      if (replaced.has(mover) || isOutdated(app, mover.placement)) continue;
      if (releasedText(app, mover) !== null) continue;
      if (!isServing(mover)) leave.push(operation(mover));
      else if (isStopFirst) move.push(operation(mover));
      else place.push(mover.placement.index);
      room--;
    }
  }
  const fills = buckets.place.length > 0 && placeGeneration !== undefined;
  return {
    ...others,
    ...(fills ? { placeGeneration } : {}),
    place,
    leave: [...buckets.leave, ...leave],
    ...(move.length > 0 ? { move } : {}),
    ...(againMs === Infinity ? {} : { againMs }),
  };
}

/** What `reconcile()` is at besides placing and stopping. */
function isBusy(buckets: Buckets): boolean {
  return buckets.turn !== undefined || buckets.replace !== undefined;
}

function isServing(sight: Sight): boolean {
  return sight.node === "ready" && sight.status?.state === "ready";
}

function releasedText(app: App, { placement, nodeName }: Sight): string | null {
  return app.released?.nodes.includes(placement.node)
    ? `its volume on ${nodeName} was given up`
    : null;
}

/**
 * What may exist only once is not placed while it may still run elsewhere, and what has left its
 * volume behind not while something of it is still there.
 */
function holdBack(app: App, sights: readonly Sight[], buckets: Buckets): Buckets {
  if (app.down || app.stopped) return buckets;
  const once = existsOnce(currentOf(app).spec);
  if (!once && !app.released) return buckets;
  const gone = new Set(buckets.gone.map((each) => each.replica));
  const still = sights.find((sight) =>
    !gone.has(sight.placement.replica) && sight.placement.part === undefined &&
    (releasedText(app, sight) !== null || once && sight.placement.leaving)
  );
  if (!still) return buckets;
  // Where nothing would be placed anyway there is something to say only of what is not over soon.
  if (buckets.place.length === 0 && !app.released && still.node === "ready") return buckets;
  const { placement: { replica }, node, nodeName } = still;
  const wait = node === "ready"
    ? `waits until ${replica} has ended on ${nodeName}`
    : `${replica} may still run on ${nodeName}, which is not heard: it waits for that node; ` +
      `skr8tr volume rm ${app.name} --lost says that the machine is off for good`;
  return { ...buckets, place: [], wait: [...buckets.wait, wait] };
}
