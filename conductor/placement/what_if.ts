/**
 * What would happen if nodes were lost or came: the same comparison and the same scheduler as for
 * everything else, on a copy of what they look at. Nothing is changed.
 */

import type { Instant } from "../../core/instant.ts";
import { WHAT_IF_NODES } from "../../core/limits.ts";
import type { WhatIfNode, WhatIfView } from "../../core/view.ts";
import { bucketsOf } from "../buckets.ts";
import { isJob } from "../jobs/job_state.ts";
import { jobStep } from "../jobs/jobs.ts";
import type { Candidate, Ledger } from "./ledger.ts";
import type { ConductorMachine } from "../machine.ts";
import { findNode } from "../fleet/node_verbs.ts";
import { planApp } from "./plan.ts";
import { rebalance } from "./rebalance.ts";
import type { Sight } from "../reconcile.ts";
import { type App, currentOf } from "../state.ts";

/** A node that might be added; what is absent is as with the first node that there is. */
export interface Newcomer {
  readonly ramBytes?: number;
  readonly cores?: number;
  readonly gpu: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Question {
  /** Names or ids of nodes that are lost. */
  readonly lose: readonly string[];
  readonly add: readonly Newcomer[];
}

/** Reads a question as it stands in a URL; `query` is its `URLSearchParams`. */
export function parseQuestion(
  query: { get(name: string): string | null },
): Question | { readonly error: string } {
  const listOf = (name: string) => (query.get(name) ?? "").split(",").filter((each) => each !== "");
  const numberOf = (name: string): number | undefined => {
    const text = query.get(name);
    return text === null ? undefined : Number(text);
  };
  const count = numberOf("add") ?? 0;
  const ramBytes = numberOf("ram");
  const cores = numberOf("cpu");
  if (!Number.isSafeInteger(count) || count < 0 || count > WHAT_IF_NODES) {
    return { error: `add is how many nodes come: 0 to ${WHAT_IF_NODES}` };
  }
  const wrong = [["ram", ramBytes], ["cpu", cores]].find(([, value]) =>
    value !== undefined && !(Number(value) > 0 && Number.isFinite(value))
  );
  if (wrong) return { error: `${wrong[0]} is a number above 0` };
  const pairs = listOf("labels").map((each) => each.split("="));
  if (pairs.some((pair) => pair.length !== 2)) return { error: "labels are K=V,..." };
  const newcomer: Newcomer = {
    ...(ramBytes === undefined ? {} : { ramBytes }),
    ...(cores === undefined ? {} : { cores }),
    gpu: query.get("gpu") === "1",
    labels: Object.fromEntries(pairs),
  };
  const lose = listOf("lose");
  if (lose.length + count === 0) return { error: "say which nodes to lose, or how many to add" };
  return { lose, add: Array(count).fill(newcomer) };
}

/** Answers; `error` where a node is not known. */
export function whatIf(
  machine: ConductorMachine,
  question: Question,
  now: Instant,
): WhatIfView | { readonly error: string } {
  const lost = new Set<string>();
  const names = new Map([...machine.fleet.values()].map((node) => [node.id, node.name]));
  for (const named of question.lose) {
    const found = findNode(names, named);
    if ("error" in found) return found;
    lost.add(found.id);
  }
  const ledger = machine.ledger.fork();
  const before = new Map(ledger.all().map((node) => [node.id, { ...node }]));
  for (const id of lost) ledger.describe(id, { alive: false });
  question.add.forEach((newcomer, at) => join(ledger, newcomer, at + 1));
  const operations: string[] = [];
  const unplaced: string[] = [];
  const waiting: string[] = [];
  const interrupted: string[] = [];
  const setting = {
    state: machine.state,
    ledger,
    isPresent: (node: string) => !lost.has(node) && (machine.isPresent(node) || !before.has(node)),
  };
  const apps: App[] = [];
  for (const app of [...machine.state.apps.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (app.down) continue;
    const copy: App = { ...app, placements: new Map(app.placements) };
    apps.push(copy);
    const seen = machine.sightsOf(app, now);
    const sights = seen.map((sight): Sight =>
      lost.has(sight.placement.node) ? { ...sight, node: "dead", absent: false } : sight
    );
    if (isServed(seen) && !isServed(sights)) interrupted.push(app.name);
    const buckets = isJob(currentOf(app).spec)
      ? jobStep(copy, sights, { wallMs: now.wallMs, missingNeeds: [] })
      : bucketsOf(copy, sights, setting);
    for (const { replica } of buckets.gone) remove(copy, replica, ledger);
    const plan = planApp(copy, buckets, ledger, [], true);
    for (const place of plan.decision.place) {
      copy.placements.set(place.replica, { ...place, leaving: false });
    }
    operations.push(...plan.decision.reasons);
    unplaced.push(...plan.unplaced);
    waiting.push(...buckets.wait);
  }
  const moves = question.add.length === 0 ? [] : rebalance(apps, ledger);
  return {
    operations,
    unplaced,
    waiting,
    interrupted,
    moves: moves.map((move) => move.reason),
    nodes: ledger.all().map((node) => nodeOf(node, before.get(node.id), lost)),
  };
}

function join(ledger: Ledger, newcomer: Newcomer, number: number): void {
  const like = ledger.all().find((node) => node.alive);
  ledger.describe(`what-if-${number}`, {
    name: `new-${number}`,
    alive: true,
    ramTotalBytes: newcomer.ramBytes ?? like?.ramTotalBytes ?? 0,
    cores: newcomer.cores ?? like?.cores ?? 1,
    gpu: newcomer.gpu,
    labels: newcomer.labels,
  });
}

function isServed(sights: readonly Sight[]): boolean {
  return sights.some((sight) => sight.node === "ready" && sight.status?.state === "ready");
}

function remove(app: App, replica: string, ledger: Ledger): void {
  const placement = app.placements.get(replica);
  if (!placement) return;
  const spec = app.generations.find((each) => each.generation === placement.generation)?.spec;
  ledger.give(placement.node, spec ?? currentOf(app).spec);
  // The plan still asks where it was.
  app.placements.set(replica, { ...placement, leaving: true });
}

function nodeOf(
  node: Candidate,
  before: Candidate | undefined,
  lost: ReadonlySet<string>,
): WhatIfNode {
  const share = (used: number, of: number) => of === 0 ? 0 : Math.round(100 * used / of);
  return {
    name: node.name,
    change: lost.has(node.id) ? "lost" : before ? "stays" : "new",
    replicasBefore: before?.replicas ?? 0,
    replicasAfter: node.replicas,
    ramPercentBefore: before ? share(before.ramUsedBytes, before.ramTotalBytes) : 0,
    ramPercentAfter: share(node.ramUsedBytes, node.ramTotalBytes),
    cpuPercentBefore: before ? share(before.coresUsed, before.cores) : 0,
    cpuPercentAfter: share(node.coresUsed, node.cores),
  };
}
