import { isOver } from "../../core/job.ts";
import { currentOf } from "../../conductor/state.ts";
import type { Cast } from "./cast.ts";
import { isJob, scalesOf } from "./manifests.ts";
import { wantedOf, type Wish } from "./operator.ts";

/** What is still missing for everything to be as signed; empty when all is well. */
export function unfinished(cast: Cast): string[] {
  const { conductor, towers, ingresses, nodes, operator } = cast;
  const missing: string[] = [];
  operator.settle();
  if (!operator.idle) missing.push("the operator waits for an answer");
  for (const said of operator.said) {
    if (said.isDone && !cast.checker.history.has(said.id)) {
      missing.push(`${said.id} was acknowledged and is not in the log`);
    }
  }
  const running = nodes.flatMap((node) => node.running().map((process) => ({ node, process })));
  // What is bad and has nothing to go back to stands as it is, until somebody signs something else.
  const stuck = new Set<string>();
  for (const wish of operator.wishes.values()) {
    const newest = wish.applied.get(wish.generation);
    if (newest && newest.behaviour !== "good" && newest.fallback === undefined) stuck.add(wish.app);
  }
  // Where nodes are barred even a good generation may find no place in time.
  const mayFail = cast.mayFail ||
    operator.said.some(({ verb }) => verb === "CORDON" || verb === "DRAIN");
  for (const wish of operator.wishes.values()) {
    if (isJob(wish.app)) missing.push(...unfinishedRuns(cast, wish.app));
    if (stuck.has(wish.app) || isJob(wish.app)) continue;
    const mine = running.filter(({ process }) => process.app === wish.app);
    const app = conductor.machine?.state.apps.get(wish.app);
    const shall = app ? currentOf(app).generation : 0;
    const wrong = whyNotSigned(wish, shall, mayFail);
    if (wrong !== null) missing.push(wrong);
    // Nobody asks for it any more.
    const wanted = restingCount(wish, shall);
    const current = mine.filter(({ process }) => process.generation === shall);
    if (mine.length !== wanted || current.length !== wanted) {
      missing.push(
        `${wish.app} shall have ${wanted} of generation ${shall}, has ` +
          mine.map(({ node, process }) => `${process.replica}@${node.name} (${process.generation})`)
            .join(" "),
      );
    }
    if (app?.rollout && app.rollout.phase !== "done" && wanted > 0) {
      missing.push(`the rollout of ${wish.app} is ${app.rollout.phase}`);
    }
  }
  const ids = (list: Iterable<string>) => [...list].sort().join(" ");
  const alive = ids(
    running.filter(({ process: { app } }) => !stuck.has(app) && !isJob(app)).map(({ process }) =>
      process.replica
    ),
  );
  for (const tower of towers) {
    const listed = ids(
      [...operator.wishes.keys()].filter((app) => !stuck.has(app)).flatMap((app) =>
        [...tower.machine?.registry.ofApp(app) ?? []].map((entry) => entry.endpoint.replica)
      ),
    );
    if (listed !== alive) {
      missing.push(`the ${tower.name} lists [${listed}], running are [${alive}]`);
    }
    if (!tower.machine?.watch.isComplete) missing.push(`the list of ${tower.name} is not complete`);
  }
  for (const [name, bar] of operator.bars) {
    const node = nodes.find((each) => each.name === name)!;
    for (const { replica, app } of bar === "DRAIN" ? node.running() : []) {
      // A volume does not move, nor what waits for its rollout.
      if (!stuck.has(app) && !operator.wishes.get(app)?.volume) {
        missing.push(`${replica} is on ${name}, which drains`);
      }
    }
  }
  for (const ingress of ingresses) {
    for (const [app] of ingress.machine?.holds.apps() ?? []) {
      missing.push(`requests wait for ${app} at ${ingress.name}`);
    }
    const routed = ids(
      ingress.targets().filter((each) => !stuck.has(each.app)).map((each) => each.replica),
    );
    if (routed !== alive) {
      missing.push(`${ingress.name} sends to [${routed}], running are [${alive}]`);
    }
  }
  for (const app of conductor.machine?.state.apps.values() ?? []) {
    for (const placement of app.placements.values()) {
      if (placement.leaving) missing.push(`${placement.replica} is still leaving`);
    }
  }
  return missing;
}

/** How many there are once nobody asks for it any more, nor has it anything to do. */
function restingCount(wish: Wish, generation: number): number {
  const wanted = wantedOf(wish, generation);
  return Math.min(wanted, scalesOf(wish.app)?.min ?? wanted);
}

/** Runs that are not over, and ticks that nobody has taken. */
function unfinishedRuns(cast: Cast, app: string): string[] {
  const runs = cast.conductor.machine?.state.apps.get(app)?.job?.runs ?? [];
  const open = runs.filter((run) => !isOver(run));
  const { wallMs } = cast.conductor.now;
  const dueMs = cast.checker.history.jobs.overdueSinceMs(app, wallMs);
  return [
    ...open.map(({ run, state }) => `run ${run} of ${app} is ${state}`),
    ...(dueMs === null ? [] : [`${app} was due ${wallMs - dueMs} ms ago`]),
  ];
}

/**
 * Why this generation must not be what the app has come to; `null` where it may: the newest, unless
 * that is bad, and what the newest may fall back to.
 */
function whyNotSigned(wish: Wish, shall: number, mayFail: boolean): string | null {
  const newest = wish.applied.get(wish.generation);
  if (!newest || wish.down || wish.stopped) return null;
  const isBad = newest.behaviour !== "good";
  // Errors show only beside what has none, and where enough is asked for.
  const isSame = newest.behaviour === "errors" &&
    (mayFail || wish.applied.get(newest.fallback ?? 0)?.behaviour === "errors");
  if (shall === wish.generation) {
    return isBad && !isSame && newest.fallback !== undefined
      ? `${wish.app} stays at generation ${shall}, which is bad`
      : null;
  }
  if (shall === newest.fallback && (isBad || mayFail)) return null;
  return `${wish.app} is at generation ${shall}; generation ${wish.generation} was signed last, ` +
    `to fall back to ${newest.fallback ?? "none"}`;
}
