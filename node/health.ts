// What a replica's probes say about it: a history of results in, a verdict out.

import { PROBE_FIRST_MS, PROBE_MIN_MS, REFUSED_QUICK_MS } from "../core/limits.ts";
import type { AppSpec, HealthCheck } from "../core/manifest/spec.ts";

/** How a replica is probed. */
export interface ProbePlan {
  readonly check: HealthCheck;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row that make a ready replica unhealthy. */
  readonly retries: number;
  readonly startPeriodMs: number;
  /** True where the manifest has no health check: probed until it listens, and no more. */
  readonly untilReady: boolean;
}

/**
 * What a probe found. `refused` is a failure, too: nothing listens there (yet). `unknown` says
 * nothing about the replica: the prober itself was lost, late or stopped.
 */
export type ProbeResult = "passed" | "failed" | "refused" | "unknown";

/** A replica's probes so far, for one start of its process. */
export interface Probing {
  readonly plan: ProbePlan;
  readonly startedMs: number;
  passed: boolean;
  /** Failures in a row. */
  failures: number;
  /** The wait after which the next probe goes out. */
  waitMs: number;
  /** When the next probe goes out; `Infinity`: never, or one is under way. */
  nextMs: number;
  /** The probe under way. */
  outstanding: { readonly probe: string; readonly sentMs: number } | null;
}

/** How this app's replicas are probed; `null` where there is nothing to probe. */
export function probePlanOf(spec: AppSpec): ProbePlan | null {
  if (spec.health) return { ...spec.health, untilReady: false };
  if (!spec.port) return null;
  return {
    check: { kind: "tcp" },
    intervalMs: 10_000,
    timeoutMs: 2_000,
    retries: 3,
    startPeriodMs: 0,
    untilReady: true,
  };
}

/** Begins probing a process that has just been started (or, `passed`, one adopted while ready). */
export function startProbing(plan: ProbePlan, nowMs: number, passed = false): Probing {
  return {
    plan,
    startedMs: nowMs,
    passed,
    failures: 0,
    waitMs: PROBE_MIN_MS,
    nextMs: passed && plan.untilReady ? Infinity : nowMs + (passed ? 0 : PROBE_FIRST_MS),
    outstanding: null,
  };
}

export type Verdict = "undecided" | "first-pass" | "unhealthy";

/** Takes in the result of the probe under way and says what follows. */
export function judge(probing: Probing, result: ProbeResult, nowMs: number): Verdict {
  probing.outstanding = null;
  switch (result) {
    case "unknown":
      probing.nextMs = nowMs;
      return "undecided";
    case "passed":
      return pass(probing, nowMs);
    case "failed":
    case "refused":
      return fail(probing, result === "refused", nowMs);
    default:
      return result satisfies never;
  }
}

function pass(probing: Probing, nowMs: number): Verdict {
  const { plan, passed } = probing;
  probing.failures = 0;
  probing.passed = true;
  probing.nextMs = plan.untilReady ? Infinity : nowMs + plan.intervalMs;
  return passed ? "undecided" : "first-pass";
}

function fail(probing: Probing, refused: boolean, nowMs: number): Verdict {
  const { plan } = probing;
  probing.failures++;
  if (probing.passed) {
    probing.nextMs = nowMs + plan.intervalMs;
    return probing.failures >= plan.retries ? "unhealthy" : "undecided";
  }
  const ageMs = nowMs - probing.startedMs;
  if (refused && ageMs < REFUSED_QUICK_MS) {
    // A refused connection costs nothing, and the first moment at which it is not is worth knowing.
    probing.nextMs = nowMs + Math.min(PROBE_MIN_MS, Math.max(PROBE_FIRST_MS, ageMs));
  } else {
    probing.nextMs = nowMs + probing.waitMs;
    probing.waitMs = Math.min(plan.intervalMs, probing.waitMs * 2);
  }
  return ageMs >= plan.startPeriodMs + plan.retries * plan.intervalMs ? "unhealthy" : "undecided";
}

/**
 * Takes back a first pass: the probe was answered, but not by this replica's own process group.
 * The next probe goes out as after a failure.
 */
export function rejectPass(probing: Probing, nowMs: number): Verdict {
  probing.passed = false;
  return fail(probing, false, nowMs);
}
