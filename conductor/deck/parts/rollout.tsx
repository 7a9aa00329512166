// How a rollout goes, and what became of the generations before.

import { useEffect, useState } from "preact/hooks";
import type { AppView, FiguresView, HistoryView, RolloutView } from "../../../core/view.ts";
import { count, span, took } from "../format.ts";
import { nowMs } from "../state.ts";

const KINDS = { deploy: "Rollout", restart: "Restart", back: "Going back" } as const;

export function Rollout({ rollout }: { readonly rollout: RolloutView }) {
  const { kind, from, generation, phase, ready, old, canary, figures } = rollout;
  const all = Math.max(1, ready + old);
  return (
    <section class={`card ${phase === "failed" ? "problems" : ""}`}>
      <h2>
        {KINDS[kind]} {from !== undefined && from !== generation && `${from} → `}
        {generation} <small>{phase}, began {span(nowMs.value - rollout.begunWallMs)} ago</small>
      </h2>
      <progress max={all} value={ready} aria-label={`${ready} ready, ${old} still to replace`} />
      <p class="facts">
        {ready} ready, {old} still to replace
        {canary &&
          `, ${canary.percent} % of the requests for ${span(canary.durationMs)} as a canary`}
        {rollout.reason && `: ${rollout.reason}`}
        {rollout.replica && ` (${rollout.replica} on ${rollout.node})`}
      </p>
      {figures && <Compared rows={[["new", figures.fresh], ["old", figures.old]]} />}
    </section>
  );
}

function Compared({ rows }: { readonly rows: readonly (readonly [string, FiguresView])[] }) {
  return (
    <div class="scroll" tabindex={0} role="region" aria-label="Generations compared">
      <table>
        <thead>
          <tr>
            <th>Generation</th>
            <th class="number">Requests</th>
            <th class="number">5xx</th>
            <th class="number">p50</th>
            <th class="number">p95</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, each]) => (
            <tr key={name}>
              <td>{each.generation} ({name})</td>
              <td class="number">{count(each.requests)}</td>
              <td class="number">{count(each.errors)}</td>
              <td class="number">{took(each.p50Ms)}</td>
              <td class="number">{took(each.p95Ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The generations that are kept, newest first. */
export function Generations({ app }: { readonly app: AppView }) {
  const [history, show] = useState<HistoryView | null>(null);
  const newest = JSON.stringify(app.newest);
  useEffect(() => {
    const stop = new AbortController();
    fetch(`/api/apps/${app.app}/history`, { signal: stop.signal })
      .then((response) => response.ok ? response.json() : null)
      .then(show, () => {});
    return () => stop.abort();
  }, [app.app, newest]);
  if (!history) return null;
  return (
    <section class="card">
      <h2>Generations</h2>
      <div class="scroll" tabindex={0} role="region" aria-label="Generations">
        <table>
          <thead>
            <tr>
              <th class="number">Generation</th>
              <th>Outcome</th>
              <th>Signed</th>
              <th>By</th>
              <th>Why</th>
            </tr>
          </thead>
          <tbody>
            {history.generations.slice(0, 20).map((each) => (
              <tr key={each.generation}>
                <td class="number">{each.generation}</td>
                <td>
                  {each.current && <span class="badge state-ready">runs</span>}{" "}
                  {each.outcome?.result ?? ""}
                </td>
                <td>{span(nowMs.value - each.signedWallMs)} ago</td>
                <td>
                  <code>{each.signedBy.slice(0, 12)}</code>
                </td>
                <td class="words">{each.outcome?.reason ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
