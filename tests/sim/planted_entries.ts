// What a conductor appends that is wrong on purpose, so that a checker cries.

import { type Entry, type Head, nextEntry } from "../../core/log.ts";
import type { State } from "../../conductor/state.ts";
import type { Planted } from "./daemon.ts";

/** The entry that a conductor with this fault appends in place of the right one. */
export function plantIn(
  entry: Entry,
  planted: Planted,
  { head, bars }: State,
  entries: readonly Entry[],
): Entry {
  const { body } = entry;
  if (planted === "replay" && body.kind === "decision") {
    const before = entries.findLast((each) => each.body.kind === "command");
    if (before) return nextEntry(head, entry.wallMs, before.body);
  }
  if (planted === "surplus" && body.kind === "decision" && body.place.length > 0) {
    const more = body.place.flatMap((place) =>
      [1, 2, 3].map((copy) => ({ ...place, replica: `${place.replica}-again-${copy}` }))
    );
    return nextEntry(head, entry.wallMs, { ...body, place: [...body.place, ...more] });
  }
  if (planted === "barred" && body.kind === "decision") {
    const [barred] = bars.keys();
    const place = body.place.map((each) => ({ ...each, node: barred ?? each.node }));
    if (barred) return nextEntry(head, entry.wallMs, { ...body, place });
  }
  if (body.kind === "decision" && (body.runs || body.place.some((each) => each.run))) {
    return plantRun(entry, body, planted, head);
  }
  if (planted === "unsteady" && body.kind === "rollout") {
    const scale = [{ app: body.app, count: 1 }];
    return nextEntry(head, entry.wallMs, {
      kind: "decision",
      place: [],
      leave: [],
      gone: [],
      scale,
      reasons: [`scale ${body.app} to 1: planted`],
    });
  }
  if (planted === "overscale" && body.kind === "decision" && body.scale) {
    const scale = body.scale.map((each) => ({ ...each, count: each.count * 5 }));
    return nextEntry(head, entry.wallMs, { ...body, scale });
  }
  return entry;
}

function plantRun(
  entry: Entry,
  body: Extract<Entry["body"], { kind: "decision" }>,
  planted: Planted,
  head: Head,
): Entry {
  const runs = body.runs ?? [];
  if (planted === "tick-twice") {
    const again = runs.filter(({ run }) => run.state === "waiting")
      .map(({ app, run }) => ({ app, run: { ...run, run: run.run + 1 } }));
    return nextEntry(head, entry.wallMs, { ...body, runs: [...runs, ...again] });
  }
  if (planted === "tick-lost") {
    const late = runs.map(({ app, run }) => ({
      app,
      run: { ...run, ...(run.dueWallMs ? { dueWallMs: run.dueWallMs + 60_000 } : {}) },
    }));
    return nextEntry(head, entry.wallMs, { ...body, runs: late });
  }
  if (planted === "run-twice") {
    const again = body.place.map((each) => ({ ...each, replica: `${each.replica}-again` }));
    return nextEntry(head, entry.wallMs, { ...body, place: [...body.place, ...again] });
  }
  return entry;
}
