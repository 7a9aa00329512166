// A route's requests over time, as the ingresses see them.

import type { RoutesView } from "../../../core/deck_view.ts";
import { usePolled } from "../lines.ts";
import { Chart } from "../parts/chart.tsx";
import { Problem } from "../parts/search.tsx";

const POLL_MS = 4_000;

export function RoutePage({ app, route }: { readonly app: string; readonly route: string }) {
  const query = new URLSearchParams({ app, route });
  const { value, problem } = usePolled<RoutesView>(`/api/routes?${query}`, POLL_MS);
  const past = value?.routes[0];
  const times = value?.wallMs.map((each) => each / 1_000) ?? [];
  return (
    <>
      <p class="trail">
        <a href="#/">Overview</a> / <a href={`#/app/${app}`}>{app}</a> / {route}
      </p>
      <h1>{route}</h1>
      <Problem text={problem} />
      {value && !past && <p class="hush">Nobody has asked for it in the last 15 minutes.</p>}
      {value && past && (
        <section class="card charts" aria-label="Requests">
          <Chart
            title="Requests"
            unit="/s"
            times={times}
            lines={[
              { label: "all", color: "one", values: past.requestsPerSecond },
              { label: "5xx", color: "bad", values: past.errorsPerSecond },
            ]}
          />
          <Chart
            title="Latency"
            unit="ms"
            times={times}
            lines={[
              { label: "p99", color: "two", values: past.p99Ms },
              { label: "p50", color: "one", values: past.p50Ms },
            ]}
          />
        </section>
      )}
    </>
  );
}
