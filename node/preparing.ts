/**
 * What a node does before anything that runs is stopped for a new generation: it takes the record,
 * fetches the artifact and looks whether the program could be executed and its fixed port be had.
 * Nothing is started, and nothing of it is kept: a conductor that wants to know asks again.
 */

import { PREPARE_AGAIN_MS, PREPARED_FRESH_MS } from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { Mesh } from "../core/mesh.ts";
import { artifactOf, type SignedArtifact } from "./artifact.ts";
import type { NodeEffect } from "./effects.ts";
import { planLaunch, type Surroundings, unsupported } from "./plan.ts";

/** What is known of a generation: not yet there, not allowed, or as the operator signed it. */
export type Prospect =
  | { readonly at: "wait" }
  | { readonly at: "refused"; readonly reason: string }
  | { readonly at: "held"; readonly spec: AppSpec };

type State =
  | { readonly at: "record" | "fetching" | "checking" | "ok" }
  | { readonly at: "failed"; readonly reason: string };

interface Preparation {
  readonly order: Mesh<"prepare">;
  state: State;
  sinceMs: number;
  spec?: AppSpec;
}

/** What it needs of its node. */
export interface PreparingStage {
  readonly around: Surroundings;
  /** On the monotonic clock, ms. */
  now(): number;
  emit(effect: NodeEffect): void;
  /** The replica here that has this port, or will; nobody knows of programs that are not the node's. */
  holderOf(port: number): { readonly id: string; readonly app: string } | undefined;
  /** What the records say of this generation. */
  prospect(order: Mesh<"prepare">): Prospect;
  answer(order: Mesh<"prepare">, state: Mesh<"prepared">["state"], reason?: string): void;
}

export class Preparing {
  /** By app: only the newest that was asked for is of interest. */
  readonly #known = new Map<string, Preparation>();

  constructor(private readonly stage: PreparingStage) {}

  /** Artifacts that are to stay until they are run from. */
  *artifacts(): Iterable<SignedArtifact> {
    for (const { spec } of this.#known.values()) {
      const artifact = spec && artifactOf(spec);
      if (artifact) yield artifact;
    }
  }

  /** The conductor asks, perhaps again. */
  take(order: Mesh<"prepare">): void {
    const known = this.#known.get(order.app);
    if (known?.order.sequence === order.sequence && !this.#isStale(known)) {
      return this.#answer(known);
    }
    const fresh: Preparation = {
      order,
      state: { at: "record" },
      sinceMs: this.stage.now(),
    };
    this.#known.set(order.app, fresh);
    this.#begin(fresh);
    // It is told at once that somebody is at it: a node of an earlier version says nothing.
    if (fresh.state.at !== "ok" && fresh.state.at !== "failed") this.#answer(fresh);
  }

  #isStale({ state, sinceMs }: Preparation): boolean {
    const ageMs = this.stage.now() - sinceMs;
    if (state.at === "failed") return ageMs >= PREPARE_AGAIN_MS;
    return state.at === "ok" && ageMs >= PREPARED_FRESH_MS;
  }

  /** Records have come: what waited for one goes on. */
  look(): void {
    for (const each of this.#known.values()) if (each.state.at === "record") this.#begin(each);
  }

  #begin(each: Preparation): void {
    const prospect = this.stage.prospect(each.order);
    if (prospect.at === "wait") return;
    if (prospect.at === "refused") return this.#fail(each, prospect.reason);
    const missing = unsupported(prospect.spec, this.stage.around);
    if (missing !== null) return this.#fail(each, missing);
    each.spec = prospect.spec;
    const artifact = artifactOf(prospect.spec);
    if (!artifact) return this.#check(each, prospect.spec);
    this.#to(each, { at: "fetching" });
    const { app, sources = [] } = each.order;
    this.stage.emit({ do: "fetch", for: "prepare", replica: app, artifact, sources });
  }

  fetched(app: string, fault: string | null): void {
    const each = this.#known.get(app);
    if (each?.state.at !== "fetching" || !each.spec) return;
    if (fault === null) this.#check(each, each.spec);
    else this.#fail(each, fault);
  }

  #check(each: Preparation, spec: AppSpec): void {
    const { app } = each.order;
    const number = spec.port?.number;
    const holder = number === undefined || !spec.port?.fixed ? null : this.stage.holderOf(number);
    if (holder && holder.app !== app) {
      return this.#fail(each, `port ${number} is fixed and held by ${holder.id} there`);
    }
    this.#to(each, { at: "checking" });
    const port = number === undefined ? {} : { port: number };
    const plan = planLaunch(spec, { replica: app, app, index: 0, ...port }, this.stage.around);
    // What holds it is the app's own, and gives it up in time; or nobody may.
    const freePort = holder === undefined ? { freePort: number! } : {};
    this.stage.emit({ do: "check-program", app, plan, ...freePort });
  }

  checked(app: string, fault: string | null): void {
    const each = this.#known.get(app);
    if (each?.state.at !== "checking") return;
    if (fault !== null) return this.#fail(each, fault);
    this.#to(each, { at: "ok" });
    this.#answer(each);
  }

  #fail(each: Preparation, reason: string): void {
    this.#to(each, { at: "failed", reason });
    this.#answer(each);
  }

  #to(each: Preparation, state: State): void {
    each.state = state;
    each.sinceMs = this.stage.now();
  }

  #answer({ order, state }: Preparation): void {
    switch (state.at) {
      case "ok":
        return this.stage.answer(order, "ok");
      case "failed":
        return this.stage.answer(order, "failed", state.reason);
      default:
        return this.stage.answer(order, "working");
    }
  }
}
