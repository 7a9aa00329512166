/**
 * From buckets to one decision: nodes are chosen, ids given, and every operation gets a line that
 * says what and why. What `--dry-run` prints is this, and so is what is executed.
 */

import { specOfBefore } from "../../core/before.ts";
import type { EntryBody, Place } from "../../core/log.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { chooseFor, type Chosen, type Passing, type Unable } from "./choose.ts";
import { whyNot } from "./feasible.ts";
import { mayReplace, type Prepared, UNASKED, waitLine } from "./replace.ts";
import type { Ledger } from "./ledger.ts";
import type { Buckets, Operation } from "../reconcile.ts";
import {
  type App,
  currentOf,
  generationOf,
  holdsVolume,
  isOutdated,
  type Placement,
  specOf,
} from "../state.ts";
import { unplacedLines } from "./unplaced.ts";

export type Decision = Extract<EntryBody, { kind: "decision" }>;

/** What is to be done about one app. */
export interface Plan {
  readonly decision: Decision;
  /** Where replicas found no node: why, node by node. */
  readonly unplaced: readonly string[];
  /** What goes on until it is known that its replacement can run. */
  readonly wait: readonly string[];
}

const NO_WAY = { leave: [], wait: [] } as const;
const NOTHING_REPLACED = { leave: [], wait: [], refusals: [] } as const;

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
 * @param prepared whether nodes can run the current generation: nothing is stopped for it before
 */
export function planApp(
  app: App,
  buckets: Buckets,
  ledger: Ledger,
  bookings: Booking[],
  mayPlace: boolean,
  prepared: Prepared = UNASKED,
): Plan {
  const { spec, part, generation, sequence, ...wanted } = askedOf(app, buckets);
  const indices = mayPlace ? wanted.indices : [];
  const asked = indices.length;
  const home = holdsVolume(spec) ? app.home : undefined;
  const passing = passingOf(app, generation);
  const { choices, refusals } = chooseAble(
    spec,
    indices,
    ledger,
    home,
    buckets.seats,
    prepared,
    passing,
  );
  const place = choices.map((choice, at): Place => {
    bookings.push({ node: choice.node, spec });
    const replica = `${app.name}.${app.placed + at + 1}`;
    const { index, node } = choice;
    const run = buckets.runOf === undefined ? {} : { run: buckets.runOf[at]! };
    return { replica, app: app.name, generation, sequence, index, node, ...run, ...part };
  });
  const replacing = mayPlace ? mayReplace(app, buckets, ledger, prepared) : NOTHING_REPLACED;
  const way = place.length < asked && buckets.leave.length === 0
    ? freeFixedPort(app, buckets, ledger, home, prepared)
    : NO_WAY;
  const leave = [...buckets.leave, ...replacing.leave, ...way.leave];
  const refused = [...refusals, ...replacing.refusals];
  const current = currentOf(app);
  const relabel = (buckets.relabel ?? []).map(({ replica }) => ({
    replica,
    generation: current.generation,
    sequence: current.sequence,
  }));
  const name = (node: string) => ledger.node(node).name;
  const nodeOf = (replica: string) => name(app.placements.get(replica)?.node ?? "");
  return {
    decision: {
      kind: "decision",
      place,
      leave: leave.map((each) => each.replica),
      gone: buckets.gone.map((each) => each.replica),
      ...(relabel.length > 0 ? { relabel } : {}),
      ...(buckets.runs?.length
        ? { runs: buckets.runs.map((run) => ({ app: app.name, run })) }
        : {}),
      reasons: [
        ...place.map((each, at) =>
          `place ${each.replica}${each.part ? ` (${each.part})` : ""} on ${name(each.node)}: ` +
          choices[at]!.reason
        ),
        ...leave.map((each) => `stop ${each.replica} on ${nodeOf(each.replica)}: ${each.reason}`),
        ...buckets.gone.map((each) => `forget ${each.replica}: ${each.reason}`),
        ...(buckets.relabel ?? []).map(({ replica, reason }) => `keep ${replica}: ${reason}`),
      ],
    },
    unplaced: place.length < asked || replacing.refusals.length > 0
      ? unplacedLines(part.part ? `${part.part} of ${app.name}` : app.name, refused)
      : [],
    wait: [...replacing.wait, ...way.wait],
  };
}

/**
 * Nodes that have said that they can go first: what was stopped was stopped for one of them, whatever
 * has come there since. Those that have not been asked go before those that cannot.
 */
function chooseAble(
  spec: AppSpec,
  indices: readonly number[],
  ledger: Ledger,
  home: string | undefined,
  seats: Buckets["seats"],
  prepared: Prepared,
  passing: Passing,
): Chosen {
  if (indices.length === 0 || seats) return chooseFor(spec, indices, ledger, home, seats);
  const unable = prepared.unable();
  const able = prepared.able();
  const chosen: Chosen["choices"][number][] = [];
  let refusals: readonly string[] = [];
  const take = (passedOver: Unable, most = Infinity) => {
    const left = indices.slice(chosen.length, chosen.length + most);
    const found = chooseFor(spec, left, ledger, home, seats, passedOver, passing);
    chosen.push(...found.choices);
    if (holdsVolume(spec)) home ??= chosen[0]?.node;
    refusals = found.refusals;
  };
  if (able.size > 0) take(othersThan(able, ledger), able.size);
  if (chosen.length < indices.length) take(unable);
  if (chosen.length < indices.length && unable.size > 0) take(new Map());
  return { choices: chosen, refusals };
}

function othersThan(nodes: ReadonlySet<string>, ledger: Ledger): Unable {
  const others = ledger.all().filter(({ id }) => !nodes.has(id));
  return new Map(others.map(({ id }) => [id, "it was not asked"]));
}

/** Its replicas that will not stay beside those of this generation that are placed now. */
function passingOf(app: App, generation: number): Passing {
  const isCurrent = generation === currentOf(app).generation;
  const passing = new Map<string, number>();
  for (const placement of app.placements.values()) {
    const { leaving, part, node } = placement;
    const isOther = isCurrent ? isOutdated(app, placement) : placement.generation !== generation;
    // Without a manifest nothing is booked for it.
    if (!(leaving || part || isOther) || !specOf(app, placement)) continue;
    passing.set(node, (passing.get(node) ?? 0) + 1);
  }
  return passing;
}

/** What is to be placed: replicas of a generation, or what runs before its first one. */
function askedOf(app: App, buckets: Buckets) {
  const asked = buckets.placeGeneration ?? currentOf(app).generation;
  const { spec, generation, sequence } = generationOf(app, asked) ?? currentOf(app);
  const before = buckets.before ? specOfBefore(spec) : null;
  if (!before) return { spec, part: {}, generation, sequence, indices: buckets.place };
  return { spec: before, part: { part: "before" }, generation, sequence, indices: [0] } as const;
}

/**
 * A port that is fixed cannot be had twice on a node, so where every node refuses the new
 * generation, one old replica that holds such a port goes first after all, if that helps.
 */
function freeFixedPort(
  app: App,
  buckets: Buckets,
  ledger: Ledger,
  home: string | undefined,
  prepared: Prepared,
): { readonly leave: readonly Operation[]; readonly wait: readonly string[] } {
  const { spec } = currentOf(app);
  if (!spec.port?.fixed) return NO_WAY;
  const placements = [...app.placements.values()];
  if (placements.some((each) => each.leaving)) return NO_WAY;
  const old = buckets.yield.find((each) => makesRoom(app, each, ledger, home));
  if (!old) return NO_WAY;
  const { replica, node } = old;
  const line = waitLine(app, replica, ledger.node(node).name, prepared.verdict(node));
  if (line !== null) return { leave: [], wait: [line] };
  const reason = `port ${spec.port.number} is fixed and has to be free first`;
  return { leave: [{ replica, reason }], wait: [] };
}

/** Says whether the current generation could take this replica's place if it were gone. */
function makesRoom(app: App, old: Placement, ledger: Ledger, home: string | undefined): boolean {
  const spec = specOf(app, old);
  if (!spec) return false;
  ledger.give(old.node, spec);
  const why = whyNot(currentOf(app).spec, ledger.node(old.node), home);
  ledger.take(old.node, spec);
  return why === null;
}

/** Several apps' decisions as one entry; the reasons stay in the order of the lists. */
export function mergeDecisions(decisions: readonly Decision[]): Decision {
  const lists = ["place", "leave", "gone", "relabel"] as const;
  const reasons = decisions.map((decision) => {
    let from = 0;
    return lists.map((list) => {
      const begin = from;
      from += decision[list]?.length ?? 0;
      return decision.reasons.slice(begin, from);
    });
  });
  const relabel = decisions.flatMap((each) => each.relabel ?? []);
  const runs = decisions.flatMap((each) => each.runs ?? []);
  return {
    kind: "decision",
    place: decisions.flatMap((each) => each.place),
    leave: decisions.flatMap((each) => each.leave),
    gone: decisions.flatMap((each) => each.gone),
    ...(relabel.length > 0 ? { relabel } : {}),
    ...(runs.length > 0 ? { runs } : {}),
    reasons: lists.flatMap((_, at) => reasons.flatMap((each) => each[at]!)),
  };
}

export function isEmpty({ place, leave, gone, relabel = [], runs = [] }: Decision): boolean {
  return place.length + leave.length + gone.length + relabel.length + runs.length === 0;
}
