import { assertEquals } from "@std/assert";
import { PROBE_MIN_MS } from "../core/limits.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import {
  judge,
  type ProbePlan,
  probePlanOf,
  type ProbeResult,
  rejectPass,
  startProbing,
} from "./health.ts";

const PLAN: ProbePlan = {
  check: { kind: "get", path: "/health", status: 200 },
  intervalMs: 1_000,
  timeoutMs: 500,
  retries: 3,
  startPeriodMs: 0,
  untilReady: false,
};

/** Sends probes as they are due, each answered at once; when each went out, and the verdicts. */
function play(plan: ProbePlan, results: readonly ProbeResult[], passed = false) {
  const probing = startProbing(plan, 0, passed);
  const sent: number[] = [];
  const verdicts = results.map((result) => {
    const nowMs = probing.nextMs;
    sent.push(nowMs);
    probing.outstanding = { probe: "p", sentMs: nowMs };
    return judge(probing, result, nowMs);
  });
  return { sent, verdicts, probing };
}

Deno.test("judge() gives the first pass once", () => {
  const { verdicts } = play(PLAN, ["failed", "passed", "passed"]);
  assertEquals(verdicts, ["undecided", "first-pass", "undecided"]);
});

Deno.test("probes begin at 5 ms, then 20 ms apart, and double up to the interval while the answer is wrong", () => {
  const { sent } = play(PLAN, Array(9).fill("failed"));
  assertEquals(sent.slice(0, 6), [5, 25, 65, 145, 305, 625]);
  assertEquals(sent[8]! - sent[7]!, PLAN.intervalMs);
});

Deno.test("a refused connection is tried again at most every 20 ms for a second, then doubling", () => {
  const { sent } = play(PLAN, Array(58).fill("refused"));
  const gaps = sent.slice(1).map((at, index) => at - sent[index]!);
  assertEquals(sent.slice(0, 5), [5, 10, 20, 40, 60]);
  assertEquals(new Set(gaps.slice(3, 50)), new Set([PROBE_MIN_MS]));
  assertEquals(gaps.slice(-5), [40, 80, 160, 320, 640]);
});

Deno.test("after the first pass a probe goes out every interval", () => {
  const { sent } = play(PLAN, ["passed", "passed", "passed"]);
  assertEquals(sent, [5, 1_005, 2_005]);
});

Deno.test("as many failures in a row as retries make a ready replica unhealthy, fewer do not", () => {
  const { verdicts } = play(PLAN, [
    "passed",
    "failed",
    "refused",
    "passed",
    "failed",
    "failed",
    "failed",
  ]);
  assertEquals(verdicts.slice(1), [
    "undecided",
    "undecided",
    "undecided",
    "undecided",
    "undecided",
    "unhealthy",
  ]);
});

Deno.test("unknown results neither fail a replica nor forgive its failures", () => {
  const { verdicts, probing } = play(
    PLAN,
    ["passed", "failed", "unknown", "failed", "unknown", "failed"],
  );
  assertEquals(verdicts.slice(1), [
    "undecided",
    "undecided",
    "undecided",
    "undecided",
    "unhealthy",
  ]);
  assertEquals(probing.failures, 3);
});

Deno.test("a replica that never passes is unhealthy after its start period and its retries", () => {
  const plan = { ...PLAN, startPeriodMs: 5_000 };
  const { sent, verdicts } = play(plan, Array(20).fill("failed"));
  const first = verdicts.indexOf("unhealthy");
  assertEquals(sent[first]! >= 8_000 && sent[first - 1]! < 8_000, true);
});

Deno.test("rejectPass() takes the pass back and probes again", () => {
  const { probing } = play(PLAN, ["passed"]);
  assertEquals(rejectPass(probing, 20), "undecided");
  assertEquals(probing.passed, false);
  assertEquals(probing.nextMs, 20 + PROBE_MIN_MS);
  probing.outstanding = { probe: "p", sentMs: 40 };
  assertEquals(judge(probing, "passed", 40), "first-pass");
});

Deno.test("startProbing() of an adopted ready replica probes at once and is not ready anew", () => {
  const { sent, verdicts } = play(PLAN, ["passed"], true);
  assertEquals([sent, verdicts], [[0], ["undecided"]]);
});

Deno.test("probePlanOf() without a health check probes a port until it listens, and nothing else", () => {
  const plans = ["port 80", "ram 1mb", "port 80\n  health {\n check TCP\n }"].map((line) => {
    const parsed = parseManifest(`app a\n  exec /bin/true\n  ${line}\n`);
    if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
    const plan = probePlanOf(parsed.apps[0]!);
    return plan && [plan.check.kind, plan.untilReady];
  });
  assertEquals(plans, [["tcp", true], null, ["tcp", false]]);
  const { probing } = play({ ...PLAN, untilReady: true }, ["passed"]);
  assertEquals(probing.nextMs, Infinity);
});
