// How apps answer, by the spans that their log lines tell of; and the slowest traces.

import type { SpanSeriesView, SpanTotals, TraceView } from "../../../core/trace_view.ts";
import { clock, count, took } from "../format.ts";
import { usePolled } from "../lines.ts";
import { Chart } from "../parts/chart.tsx";
import { Problem } from "../parts/search.tsx";

const POLL_MS = 5_000;
/** What is looked back at: as much as the series tell of. */
const SINCE_MS = 900_000;
const SHOWN = 50;

/** @param app the one that is looked at; absent: all are */
export function TracesPage({ app }: { readonly app?: string | undefined }) {
  return (
    <>
      {app !== undefined && (
        <p class="trail">
          <a href="#/traces">Traces</a> / {app}
        </p>
      )}
      <h1>
        {app === undefined ? "Traces" : (
          <>
            Traces of <a href={`#/app/${app}`}>{app}</a>
          </>
        )}
      </h1>
      {app === undefined ? <Apps /> : <Series app={app} />}
      <Slowest app={app} />
    </>
  );
}

function Apps() {
  const { value, problem } = usePolled<{ apps: readonly SpanTotals[] }>(
    "/api/telemetry/apps",
    POLL_MS,
  );
  if (problem !== null) return <Problem text={problem} />;
  if (value?.apps.length === 0) {
    return (
      <p class="hush">
        No app has told of a request in the last 15 minutes. A line of JSON in its log does, with
        {" "}
        <code>trace</code>, <code>span</code> and <code>ms</code>.
      </p>
    );
  }
  return (
    <section aria-labelledby="spans">
      <h2 id="spans">Apps, last 15 minutes</h2>
      <div class="scroll card" tabindex={0} role="region" aria-label="Apps">
        <table>
          <thead>
            <tr>
              <th>App</th>
              <th class="number">Requests</th>
              <th class="number">Failed</th>
              <th class="number wide">p50</th>
              <th class="number">p99</th>
            </tr>
          </thead>
          <tbody>
            {value?.apps.map(({ app, requests, failed, p50Ms, p99Ms }) => (
              <tr key={app}>
                <td>
                  <a href={`#/traces/${app}`}>{app}</a>
                </td>
                <td class="number">{count(requests)}</td>
                <td class={`number ${failed > 0 ? "bad" : ""}`}>{count(failed)}</td>
                <td class="number wide">{took(p50Ms)}</td>
                <td class="number">{took(p99Ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Series({ app }: { readonly app: string }) {
  const { value, problem } = usePolled<SpanSeriesView>(
    `/api/telemetry/series?app=${encodeURIComponent(app)}`,
    POLL_MS,
  );
  if (problem !== null) return <Problem text={problem} />;
  if (value === null) return null;
  const times = value.startWallMs.map((each) => each / 1_000);
  const perSecond = (counts: readonly number[]) =>
    counts.map((each) => 1_000 * each / value.everyMs);
  return (
    <section class="card charts" aria-label="Answers">
      <Chart
        title="Requests"
        unit="/s"
        times={times}
        lines={[
          { label: "all", color: "one", values: perSecond(value.requests) },
          { label: "failed", color: "bad", values: perSecond(value.failed) },
        ]}
      />
      <Chart
        title="Took"
        unit="ms"
        times={times}
        lines={[
          { label: "p99", color: "two", values: value.p99Ms },
          { label: "p50", color: "one", values: value.p50Ms },
        ]}
      />
    </section>
  );
}

function Slowest({ app }: { readonly app: string | undefined }) {
  const of = app === undefined ? "" : `&app=${encodeURIComponent(app)}`;
  const { value } = usePolled<{ traces: readonly TraceView[] }>(
    `/api/telemetry/traces?since=${SINCE_MS}&limit=${SHOWN}${of}`,
    POLL_MS,
  );
  if (value === null || value.traces.length === 0) return null;
  return (
    <section aria-labelledby="slowest">
      <h2 id="slowest">Slowest traces</h2>
      <div class="scroll card" tabindex={0} role="region" aria-label="Slowest traces">
        <table>
          <thead>
            <tr>
              <th>Began</th>
              <th>Request</th>
              <th class="number">Took</th>
              <th class="number wide">Spans</th>
              <th class="number wide">Failed</th>
              <th class="wide">Apps</th>
            </tr>
          </thead>
          <tbody>
            {value.traces.map((each) => (
              <tr key={each.trace}>
                <td class="number">{clock(each.startWallMs)}</td>
                <td class="words">
                  <a href={`#/trace/${each.trace}`}>{each.name}</a>
                </td>
                <td class={`number ${each.failed > 0 ? "bad" : ""}`}>{took(each.ms)}</td>
                <td class="number wide">{each.spans}</td>
                <td class={`number wide ${each.failed > 0 ? "bad" : ""}`}>{each.failed}</td>
                <td class="wide words">{each.apps.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
