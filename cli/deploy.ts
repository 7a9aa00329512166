// A deploy as the CLI does it: plan, sign, send, and wait for what becomes of it. `skr8tr up` and
// `deno task cluster` both go this way.

import { Failure } from "../core/errors.ts";
import { canonical } from "../core/manifest/format.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { AppView, PlanView } from "../core/view.ts";
import { follow } from "./follow.ts";
import type { Conductor } from "./conductor.ts";
import type { Signer } from "./keys.ts";
import { commandId, parseReply, refusal, sendUntilAnswered } from "./send.ts";
import { verdictOf, whyLate } from "./verdict.ts";

/** How long replicas without a health check must stay up to count as ready, at most, ms. */
const SETTLE_MS = 1_000;

type AppPlan = PlanView["apps"][number];

/** What became of one app. */
export interface Outcome {
  readonly app: string;
  readonly generation: number;
  /** `applied`: accepted and not waited for. */
  readonly result: "unchanged" | "applied" | "ready" | "failed";
  readonly reason?: string;
  /** With `failed`: it was not ready when the time was up, and the conductor goes on. */
  readonly late?: true;
  readonly replica?: string;
  readonly node?: string;
  /** The last lines of the replica that shows why. */
  readonly lines?: readonly string[];
  /** From the begin of the deploy, ms. */
  readonly ms: number;
}

export interface DeployOptions {
  readonly specs: readonly AppSpec[];
  readonly conductor: Conductor;
  readonly signer: Signer;
  /** For the message when the conductor does not know the key. */
  readonly keyPath: string;
  /** How long the conductor may take to answer a command, ms. */
  readonly timeoutMs: number;
  /** For how long a command whose answer was lost is sent again, ms; by default, as long as one answer may take. */
  readonly patienceMs?: number;
  /** Present: wait until every app is ready or has failed, at most this long. */
  readonly waitMs?: number;
  /** Hears the conductor's plan for each app, before anything is sent. */
  onPlan?(plan: AppPlan): void;
  /** Hears that an answer was lost, and that it is asked for again. */
  onLost?(why: Failure): void;
  /** Hears every view of an app that is waited for. */
  onView?(view: AppView): void;
}

/** Asks the conductor what it would do with these apps. */
export async function planOf(
  conductor: Conductor,
  specs: readonly AppSpec[],
): Promise<readonly AppPlan[]> {
  const text = specs.map((spec) => canonical(spec)).join("\n");
  return (JSON.parse(await conductor.post("/api/plan", text)) as PlanView).apps;
}

/**
 * Deploys apps, side by side.
 *
 * @throws {Failure} `unreachable`, `unauthorized` or `refused`. After `unreachable` an app may have been
 *   accepted all the same; to deploy it once more is safe. An app that was accepted and does
 *   not become ready is no exception but an outcome.
 */
export async function deploy(options: DeployOptions): Promise<Outcome[]> {
  const begun = performance.now();
  const plans = await planOf(options.conductor, options.specs);
  plans.forEach((plan) => options.onPlan?.(plan));
  return await Promise.all(options.specs.map(async (spec): Promise<Outcome> => {
    const plan = plans.find((each) => each.app === spec.name);
    if (!plan) throw new Failure("refused", `the conductor has no plan for ${spec.name}`);
    // A plan names the generation that an APPLY would be; what runs unchanged is the one before.
    const generation = plan.unchanged ? plan.generation - 1 : await apply(options, spec, plan);
    const accepted = plan.unchanged ? "unchanged" : "applied";
    const judged = options.waitMs === undefined ? { result: accepted } as const : await follow({
      conductor: options.conductor,
      app: spec.name,
      settleMs: spec.health ? 0 : Math.min(SETTLE_MS, spec.rollout.settleMs),
      untilMs: begun + options.waitMs,
      judge: (view) => verdictOf(view, generation),
      late: (view) => whyLate(view, generation),
      ...(options.onView ? { onView: options.onView } : {}),
    });
    const result = plan.unchanged && judged.result === "ready" ? accepted : judged.result;
    const ms = Math.round(performance.now() - begun);
    return { app: spec.name, generation, ...judged, result, ms };
  }));
}

/** Signs and sends one APPLY; resolves to the generation that was accepted. */
async function apply(options: DeployOptions, spec: AppSpec, first: AppPlan): Promise<number> {
  let plan = first;
  for (let attempt = 1;; attempt++) {
    const reply = parseReply(await answered(options, spec, plan));
    if (reply.ok) return plan.generation;
    if (reply.code !== "CONFLICT" || attempt > 1) throw refusal(reply, options.keyPath);
    // Somebody else deployed between our plan and our command.
    plan = (await planOf(options.conductor, [spec]))[0] ?? plan;
  }
}

async function answered(options: DeployOptions, spec: AppSpec, plan: AppPlan): Promise<string> {
  const command = {
    verb: "APPLY",
    id: commandId(),
    app: spec.name,
    generation: plan.generation,
    ...(plan.fallback === undefined ? {} : { fallback: plan.fallback }),
    manifest: canonical(spec),
  } as const;
  return await sendUntilAnswered(command, { ...options, wasHeard: true });
}
