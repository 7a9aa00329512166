// The values that programs tell of themselves, and that a collector tells of them.

import { useState } from "preact/hooks";
import { shownUnit } from "../../../core/metric_unit.ts";
import type { MetricSeriesView, MetricsView, MetricTotals } from "../../../core/metric_view.ts";
import { usePolled } from "../lines.ts";
import { Chart } from "../parts/chart.tsx";
import { parameter, Problem } from "../parts/search.tsx";

const POLL_MS = 5_000;
/** Most series that are asked for at once. */
const SHOWN = 120;
/** The lines of one chart. */
const COLORS = ["one", "two", "good", "warn", "bad", "ink-soft"] as const;

interface Props {
  /** Absent: all apps are listed. */
  readonly app?: string | undefined;
  /** Absent: all replicas are looked at. */
  readonly replica?: string | undefined;
}

export function MetricsPage({ app, replica }: Props) {
  if (app === undefined) return <Apps />;
  return (
    <>
      <p class="trail">
        <a href="#/metrics">Metrics</a> / {replica === undefined ? app : (
          <>
            <a href={`#/metrics/${app}`}>{app}</a> / {replica}
          </>
        )}
      </p>
      <h1>
        Metrics of {replica ?? <a href={`#/app/${app}`}>{app}</a>}
      </h1>
      <Charts app={app} replica={replica} />
    </>
  );
}

function Apps() {
  const { value, problem } = usePolled<{ apps: readonly MetricTotals[] }>(
    "/api/telemetry/metrics",
    POLL_MS,
  );
  return (
    <>
      <h1>Metrics</h1>
      <Problem text={problem} />
      {value?.apps.length === 0 && (
        <p class="hush">
          No app has told of a value in the last 15 minutes. A line of JSON in its log does, with
          {" "}
          <code>metrics</code>.
        </p>
      )}
      {value && value.apps.length > 0 && (
        <div class="scroll card" tabindex={0} role="region" aria-label="Apps">
          <table>
            <thead>
              <tr>
                <th>App</th>
                <th class="number">Replicas</th>
                <th class="number">Metrics</th>
              </tr>
            </thead>
            <tbody>
              {value.apps.map(({ app, replicas, metrics }) => (
                <tr key={app}>
                  <td>
                    <a href={`#/metrics/${app}`}>{app}</a>
                  </td>
                  <td class="number">{replicas}</td>
                  <td class="number">{metrics}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Charts({ app, replica }: { readonly app: string; readonly replica: string | undefined }) {
  const [sought, seek] = useState("");
  const query = parameter("name", sought.trim()) + parameter("replica", replica ?? "");
  const { value, problem } = usePolled<MetricsView>(
    `/api/telemetry/metrics?app=${encodeURIComponent(app)}&limit=${SHOWN}${query}`,
    POLL_MS,
  );
  const series = value?.series ?? [];
  const names = [...new Set(series.map((each) => each.name))];
  const replicas = [...new Set(series.map((each) => each.replica))].filter((each) => each !== "");
  const tellers = [...new Set(series.flatMap((each) => each.by ?? []))];
  const times = value?.startWallMs.map((each) => each / 1_000) ?? [];
  return (
    <>
      <label class="search">
        <span>Find by name</span>
        <input type="search" value={sought} onInput={(event) => seek(event.currentTarget.value)} />
      </label>
      <Problem text={problem} />
      {value && names.length === 0 && (
        <p class="hush">Nothing {sought && "of that name "}was told in the last 15 minutes.</p>
      )}
      {replica === undefined && replicas.length > 1 && (
        <p class="facts routes">
          By replica:
          {replicas.slice(0, 30).map((each) => (
            <a key={each} href={`#/metrics/${app}/${each}`}>{each}</a>
          ))}
        </p>
      )}
      {names.length > 0 && (
        <section class="card charts" aria-label="Values">
          {names.map((name) => (
            <MetricChart
              key={name}
              app={app}
              name={name}
              times={times}
              series={series.filter((each) => each.name === name)}
            />
          ))}
        </section>
      )}
      {value && value.more > 0 && <p class="hush">{value.more} more lines: find them by name.</p>}
      {tellers.length > 0 && (
        <p class="facts">
          Told by {tellers.map((each) => <a key={each} href={`#/app/${each}`}>{each}</a>)}
        </p>
      )}
    </>
  );
}

interface ChartProps {
  readonly app: string;
  readonly name: string;
  readonly times: readonly number[];
  readonly series: readonly MetricSeriesView[];
}

function MetricChart({ app, name, times, series }: ChartProps) {
  const { unit, factor } = shownUnit(series[0]?.unit);
  const lines = series.slice(0, COLORS.length).map(({ replica, values }, at) => ({
    // A replica is called after its app: what is different stands behind that.
    label: replica.startsWith(`${app}.`) ? replica.slice(app.length) : replica || "all",
    color: COLORS[at]!,
    values: values.map((value) => value === null ? null : value * factor),
  }));
  const more = series.length - lines.length;
  return (
    <Chart
      // Another set of lines is another chart.
      key={lines.map(({ label }) => label).join(" ")}
      title={more > 0 ? `${name}, and ${more} more` : name}
      unit={unit}
      times={times}
      lines={lines}
    />
  );
}
