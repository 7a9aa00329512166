// What must hold of artifacts: nothing runs from bytes that nobody signed, and nothing that runs is
// stopped for a generation whose artifact its node cannot have.

import { PREPARED_FRESH_MS } from "../../core/limits.ts";
import type { EntryBody } from "../../core/log.ts";
import { wantedOf } from "../../conductor/reconcile.ts";
import { type App, currentOf } from "../../conductor/state.ts";
import type { Cast } from "./cast.ts";
import type { Checker } from "./checks.ts";
import type { NodeHost } from "./node_host.ts";
import type { Process } from "./process.ts";

type Decision = Extract<EntryBody, { kind: "decision" }>;

export class CargoChecks {
  /** App -> the generation for which some were stopped, and how many of these are not placed yet. */
  readonly #stoppedFor = new Map<string, { readonly generation: number; count: number }>();

  constructor(private readonly checker: Checker) {}

  started({ name }: NodeHost, { app, digest, generation, isRaced, replica }: Process): void {
    const signed = this.checker.history.artifactOf(app, generation);
    if (signed === undefined) return;
    this.checker.checked++;
    if (digest === signed || isRaced) return;
    this.checker.fail(`${replica} runs on ${name} from bytes that nobody signed`);
  }

  /** To be called before the decision is executed. */
  decided({ leave, place }: Decision): void {
    const { cast, excuses } = this.checker;
    const state = cast.conductor.machine?.state;
    if (!state) return;
    for (const replica of leave) {
      const app = state.apps.get(state.replicas.get(replica) ?? "");
      if (app && !this.#isEnough(app, leave)) this.#stopped(app, replica);
    }
    for (const { app: name, node: id, generation, replica } of place) {
      const stopped = this.#stoppedFor.get(name);
      const sha256 = this.checker.history.artifactOf(name, generation);
      if (stopped?.generation !== generation || stopped.count === 0 || !sha256) continue;
      stopped.count--;
      // Where the node that was asked is no more, or barred meanwhile, another one has to do.
      if (excuses.isDisturbed || excuses.isWounded(name) || state.bars.size > 0) continue;
      this.checker.checked++;
      const node = cast.nodes.find((each) => each.id === id);
      if (!node || node.cargo.held(sha256, PREPARED_FRESH_MS)) continue;
      this.checker.fail(
        `${replica} is placed on ${node.name}, which lacks the artifact for which another was stopped`,
      );
    }
  }

  /** Says whether as many as are wanted stay: what goes then goes for that. */
  #isEnough(app: App, leave: readonly string[]): boolean {
    const { machine } = this.checker.cast.conductor;
    const stay = [...app.placements.values()].filter(({ leaving, node, replica }) =>
      !leaving && !leave.includes(replica) &&
      machine?.fleet.get(node)?.statuses.get(replica)?.state === "ready"
    );
    return stay.length >= wantedOf(app);
  }

  #stopped(app: App, replica: string): void {
    const { cast, history } = this.checker;
    const { generation } = currentOf(app);
    const placement = app.placements.get(replica);
    const sha256 = history.artifactOf(app.name, generation);
    if (!placement || placement.generation === generation || !sha256) return;
    if (app.down || app.stopped || app.count === 0) return;
    // What serves nobody, to the conductor's knowledge, is let go at once.
    const known = cast.conductor.machine?.fleet.get(placement.node)?.statuses.get(replica);
    if (known?.state !== "ready") return;
    this.checker.checked++;
    const others = this.#stoppedFor.get(app.name);
    if (others?.generation === generation) others.count++;
    else this.#stoppedFor.set(app.name, { generation, count: 1 });
    if (cast.nodes.some((node) => node.powered && node.cargo.held(sha256, PREPARED_FRESH_MS))) {
      return;
    }
    this.checker.fail(
      `${replica} is stopped for generation ${generation}, whose artifact no node has`,
    );
  }
}

/** What is to be deployed again, since nobody who is asked for it has its artifact any more. */
export function lostCargos(cast: Cast): Parameters<Cast["operator"]["up"]>[] {
  const { conductor, conductors, nodes, operator } = cast;
  operator.settle();
  return [...operator.wishes.values()].flatMap((wish): Parameters<typeof operator.up>[] => {
    const app = conductor.machine?.state.apps.get(wish.app);
    const applied = app && wish.applied.get(currentOf(app).generation);
    const sha256 = app && currentOf(app).spec.artifact?.sha256;
    if (!applied || sha256 === undefined || wish.down || wish.stopped) return [];
    const isHere = conductors.some(({ cargo }) => cargo.has(sha256)) ||
      nodes.some((node) => node.running().some((each) => each.digest === sha256));
    if (isHere) return [];
    cast.checker.tell(`nobody has the artifact of ${wish.app} any more`);
    return [[wish.app, applied.replicas, false, applied.behaviour, applied.cargo]];
  });
}
