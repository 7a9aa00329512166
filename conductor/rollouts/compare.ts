/**
 * Whether a new generation answers worse than the old one, by what the ingresses counted of both.
 *
 * Two questions, each a comparison of two shares:
 *
 * - errors: the share of answers with a status of 5xx;
 * - latency: the share of answers slower than a threshold, which is the old one's p95 and a practical
 *   difference more. The p95 of the new lies above the threshold exactly where more than 5 % of its
 *   answers are slower than that, so the question about a quantile is one about a share (the quantile
 *   test, W. J. Conover, Practical Nonparametric Statistics, 3rd ed. 1999, 3.2).
 *
 * A share is worse where the lower bound of the confidence interval for the difference of the two,
 * new less old, lies above a practical difference: significant, and large enough to matter. The
 * interval is the hybrid score interval of R. G. Newcombe, "Interval estimation for the difference
 * between independent proportions: comparison of eleven methods", Statistics in Medicine 17 (1998),
 * 873-890, method 10: with the Wilson score bounds l and u of each share p,
 *
 *     lower = (p1 - p2) - sqrt((p1 - l1)^2 + (u2 - p2)^2)
 *
 * Unlike the plain z-test it holds for few requests and for shares of 0 and 1, which are the rule
 * here. A rollout is looked at again and again while it goes on, so the bound is a strict one: 3.29
 * standard deviations, one wrong alarm in 2,000 at a single look.
 */

import {
  COMPARE_ERRORS,
  COMPARE_LATENCY,
  COMPARE_LATENCY_MS,
  COMPARE_Z,
} from "../../core/limits.ts";

/** What the ingresses saw of one generation in one span of time. */
export interface Figures {
  readonly requests: number;
  /** Answers with a status of 5xx. */
  readonly errors: number;
  /** Quantiles of the time to answer; 0 without any. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** How many took longer than `ms`, as far as the buckets tell: never more than in truth. */
  slower(ms: number): number;
}

/** Both generations, side by side. */
export interface Comparison {
  readonly fresh: Figures;
  readonly old: Figures;
  /**
   * Both over the very same time, and after the new one has warmed up: only then their latencies can
   * be compared, which depend on what else the machines do. Absent where there is no such time.
   */
  readonly warm?: { readonly fresh: Figures; readonly old: Figures };
}

/**
 * Why the new generation is worse than the old one, for people; `null` where it is not, or where
 * fewer than `minRequests` have been answered by it, or none by the old one.
 */
export function whyWorse(comparison: Comparison, minRequests: number): string | null {
  const { fresh, old, warm } = comparison;
  const isJudged = fresh.requests >= minRequests && old.requests > 0;
  return (isJudged ? whyMoreErrors(fresh, old) : null) ??
    (warm && warm.fresh.requests >= minRequests && warm.old.requests > 0
      ? whySlower(warm.fresh, warm.old)
      : null);
}

function whyMoreErrors(fresh: Figures, old: Figures): string | null {
  const errors = excess(fresh.errors, fresh.requests, old.errors, old.requests);
  if (errors <= COMPARE_ERRORS) return null;
  return `${share(fresh.errors, fresh.requests)} of its ${fresh.requests} answers are errors ` +
    `(5xx), of the old one's ${share(old.errors, old.requests)}`;
}

function whySlower(fresh: Figures, old: Figures): string | null {
  const thresholdMs = Math.max(old.p95Ms * COMPARE_LATENCY, old.p95Ms + COMPARE_LATENCY_MS);
  const slowFresh = fresh.slower(thresholdMs);
  if (excess(slowFresh, fresh.requests, old.slower(thresholdMs), old.requests) <= 0) return null;
  // More than the 5 % that lie beyond any p95, and not by chance.
  if (wilson(slowFresh, fresh.requests).low <= 0.05) return null;
  return `its p95 is ${fresh.p95Ms.toFixed(1)} ms, the old one's ${old.p95Ms.toFixed(1)} ms`;
}

/** By how much a share is larger than another at the least: Newcombe's lower bound. */
export function excess(
  count: number,
  of: number,
  otherCount: number,
  otherOf: number,
): number {
  const p1 = count / of;
  const p2 = otherCount / otherOf;
  const below = p1 - wilson(count, of).low;
  const above = wilson(otherCount, otherOf).high - p2;
  return p1 - p2 - Math.hypot(below, above);
}

/** The Wilson score interval of a share at `COMPARE_Z` standard deviations. */
export function wilson(count: number, of: number): { readonly low: number; readonly high: number } {
  const p = count / of;
  const z2 = COMPARE_Z ** 2;
  const middle = p + z2 / (2 * of);
  const half = COMPARE_Z * Math.sqrt(p * (1 - p) / of + z2 / (4 * of ** 2));
  const scale = 1 + z2 / of;
  return { low: Math.max(0, (middle - half) / scale), high: Math.min(1, (middle + half) / scale) };
}

/** Both generations' figures in one line, for people. */
export function describeComparison({ fresh, old }: Comparison): string {
  const one = ({ requests, errors, p95Ms }: Figures) =>
    `${requests} answers, ${share(errors, requests)} errors, p95 ${p95Ms.toFixed(1)} ms`;
  return `new: ${one(fresh)}; old: ${one(old)}`;
}

function share(count: number, of: number): string {
  if (of === 0) return "0 %";
  const percent = 100 * count / of;
  return `${percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}
