// Rollouts, generations and the story of an app, for people.

import type { AppView, FiguresView, HistoryView, RolloutView, WhyView } from "../../core/view.ts";
import { harmless, type Output, type Paint } from "../output.ts";
import { table } from "./table.ts";
import { eventLine } from "./views.ts";
import { clockTime, exitText, span } from "./words.ts";

/** Where the app's rollout is, in a few words; empty where none is under way. */
export function rolloutText({ rollout, wanted }: AppView): string {
  if (!rollout || rollout.phase === "done") return "";
  const what = rollout.kind === "back"
    ? `back to generation ${rollout.generation}`
    : rollout.kind === "restart"
    ? "restart"
    : `generation ${rollout.generation}`;
  const share = rollout.canary && rollout.phase === "canary"
    ? ` with ${rollout.canary.percent} % of the requests`
    : "";
  const old = rollout.old > 0 ? `, ${rollout.old} old` : "";
  const why = rollout.reason && rollout.kind !== "back" ? `: ${harmless(rollout.reason)}` : "";
  return `${what} ${rollout.phase}${share}: ${rollout.ready} of ${wanted} ready${old}${why}`;
}

/** The app's last rollout, under way or over. */
export function rolloutLines(app: AppView, { paint }: Pick<Output, "paint">, nowMs: number) {
  const { rollout, newest } = app;
  if (!rollout) return [`${paint.strong(app.app)} has had no rollout`];
  const from = rollout.from === undefined || rollout.from === rollout.generation
    ? ""
    : ` (from ${rollout.from})`;
  const kind = { deploy: "rollout", restart: "restart", back: "way back" }[rollout.kind];
  const outcome = newest?.outcome;
  return [
    `${paint.strong(app.app)}: ${kind} to generation ${rollout.generation}${from} ` +
    `${phaseColor(rollout, paint)(rollout.phase)}, begun ${clockTime(rollout.begunWallMs, nowMs)}`,
    `  ${rollout.ready} of ${app.wanted} ready, ${rollout.old} to be replaced`,
    ...(rollout.reason ? [`  ${harmless(rollout.reason)}`] : []),
    ...canaryLines(rollout, nowMs),
    ...(rollout.figures
      ? [figuresLine("new", rollout.figures.fresh), figuresLine("old", rollout.figures.old)]
      : []),
    ...(outcome && outcome.result !== "done"
      ? [`  generation ${newest.generation} ${outcome.result}: ${harmless(outcome.reason)}`]
      : []),
  ];
}

function phaseColor({ phase }: RolloutView, paint: Paint): (text: string) => string {
  if (phase === "done") return paint.good;
  return phase === "failed" || phase === "paused" ? paint.bad : paint.warn;
}

function canaryLines({ canary, phase }: RolloutView, nowMs: number): string[] {
  if (!canary || phase === "done") return [];
  const { percent, durationMs, sinceWallMs } = canary;
  const left = sinceWallMs === undefined
    ? "not begun"
    : `${span(Math.max(0, durationMs - (nowMs - sinceWallMs)))} left`;
  return [`  canary: ${percent} % of the requests for ${span(durationMs)}, ${left}`];
}

function figuresLine(name: string, { generation, requests, errors, p95Ms }: FiguresView): string {
  const share = requests === 0 ? 0 : 100 * errors / requests;
  return `  ${name} (generation ${generation}): ${requests} requests, ` +
    `${share.toFixed(1)} % errors, p95 ${p95Ms.toFixed(0)} ms`;
}

/** Every generation that is kept, newest first. */
export function historyTable(
  { generations }: HistoryView,
  output: Pick<Output, "paint" | "columns">,
  nowMs: number,
): string[] {
  return table(
    generations,
    [
      { title: "GEN", cell: (each) => `${each.generation}${each.current ? " *" : ""}` },
      { title: "SIGNED", cell: (each) => clockTime(each.signedWallMs, nowMs) },
      { title: "BY", cell: (each) => each.signedBy.slice(0, 16), least: 8 },
      { title: "DIGEST", cell: (each) => each.digest.slice(0, 12), spare: 2 },
      {
        title: "FALLBACK",
        cell: (each) => String(each.fallback ?? "-"),
        right: true,
        spare: 1,
      },
      {
        title: "OUTCOME",
        cell: (each) => each.outcome?.result ?? "open",
        color: (each, paint) => outcomeColor(each.outcome?.result, paint),
      },
      { title: "WHEN", cell: (each) => each.outcome ? clockTime(each.outcome.wallMs, nowMs) : "-" },
      { title: "WHY", cell: (each) => harmless(each.outcome?.reason ?? ""), least: 8 },
    ],
    output.paint,
    output.columns,
  );
}

function outcomeColor(result: string | undefined, paint: Paint): (text: string) => string {
  if (result === "done") return paint.good;
  return result === "failed" || result === "rolled-back" ? paint.bad : paint.faint;
}

type LastExit = WhyView["exits"][number];

/** Exits, newest first, those together that differ only in their time and last words. */
function alike(exits: readonly LastExit[]): { readonly of: LastExit; times: number }[] {
  const groups: { readonly of: LastExit; times: number }[] = [];
  const textOf = ({ replica, node, generation, change, exit }: LastExit) =>
    JSON.stringify([replica, node, generation, change, exit.why, exit.code, exit.signal]);
  for (const exit of exits) {
    const last = groups.at(-1);
    if (last && textOf(last.of) === textOf(exit)) last.times++;
    else groups.push({ of: exit, times: 1 });
  }
  return groups;
}

/** Why an app is as it is. */
export function whyLines(
  why: WhyView,
  { paint }: Pick<Output, "paint">,
  nowMs: number,
): string[] {
  const { app, exits, story, digest, artifact } = why;
  const signed = `${clockTime(app.signedWallMs, nowMs)} by ${app.signedBy.slice(0, 16)}`;
  return [
    `${paint.strong(app.app)} is ${app.state}: ${app.ready} of ${app.wanted} ready`,
    `generation ${app.generation}, signed ${signed}, digest ${digest.slice(0, 12)}` +
    (artifact === undefined ? "" : `, artifact ${artifact.slice(0, 12)}`),
    ...app.reasons.map((reason) => `${paint.bad("!")} ${harmless(reason)}`),
    ...(app.rollout ? ["", ...rolloutLines(app, { paint }, nowMs)] : []),
    ...(exits.length > 0 ? ["", "how replicas ended last:"] : []),
    ...alike(exits).flatMap((
      { of: { replica, node, generation, wallMs, exit, change }, times },
    ) => [
      `  ${paint.faint(clockTime(wallMs, nowMs))}  ${replica} on ${node}` +
      (generation === undefined ? "" : ` (generation ${generation})`) + `: ${exitText(exit)}` +
      (times === 1 ? "" : `, ${times} times in a row`),
      ...(exit.tail ?? "").split("\n").filter((line) => line !== "").map((line) =>
        `    | ${harmless(line)}`
      ),
      ...(change === undefined ? [] : [`    after: ${harmless(change)}`]),
    ]),
    ...(story.length > 0 ? ["", "since the last signed change:"] : []),
    ...story.map((event) => `  ${eventLine(event, paint, nowMs)}`),
  ];
}
