// The runs of a job as a table.

import type { RunView } from "../../core/view.ts";
import type { Surface } from "./views.ts";
import { table } from "./table.ts";
import { clockTime, span } from "./words.ts";

export function runsTable(runs: readonly RunView[], output: Surface, nowMs: number): string[] {
  return table<RunView>(
    runs,
    [
      { title: "RUN", cell: (run) => String(run.run), right: true },
      {
        title: "STATE",
        cell: (run) => run.state,
        color: (run, paint) =>
          run.state === "succeeded"
            ? paint.good
            : run.state === "running" || run.state === "waiting"
            ? paint.warn
            : run.state === "failed" || run.state === "timeout" || run.state === "unknown"
            ? paint.bad
            : paint.faint,
      },
      { title: "BY", cell: (run) => run.why },
      { title: "DUE", cell: (run) => moment(run.dueWallMs, nowMs) },
      { title: "STARTED", cell: (run) => moment(run.startedWallMs, nowMs) },
      { title: "TOOK", cell: (run) => took(run, nowMs), right: true },
      { title: "CODE", cell: (run) => run.signal ?? String(run.code ?? "-"), right: true },
      {
        title: "WHERE",
        cell: (run) =>
          run.replicas.map((each) => `${each.replica} on ${each.node}`).join(", ") || "-",
        least: 12,
      },
      { title: "WHY", cell: (run) => run.reason ?? "", least: 8 },
    ],
    output.paint,
    output.columns,
  );
}

function moment(wallMs: number | undefined, nowMs: number): string {
  return wallMs === undefined ? "-" : clockTime(wallMs, nowMs);
}

function took({ startedWallMs, endedWallMs }: RunView, nowMs: number): string {
  return startedWallMs === undefined ? "-" : span((endedWallMs ?? nowMs) - startedWallMs);
}
