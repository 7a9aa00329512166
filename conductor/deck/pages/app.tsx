import type { TrafficView } from "../../../core/deck_view.ts";
import { short, span } from "../format.ts";
import { Chart } from "../parts/chart.tsx";
import { EventList } from "../parts/events.tsx";
import { Logs } from "../parts/logs.tsx";
import { Generations, Rollout } from "../parts/rollout.tsx";
import { ReplicaTable, StateBadge } from "../parts/replicas.tsx";
import { usePast } from "../past.ts";
import { events, lastSample, nowMs, status } from "../state.ts";

export function AppPage({ name }: { readonly name: string }) {
  const app = status.value!.apps.find((each) => each.app === name);
  const own = events.value.filter((event) => event.app === name).slice(0, 30);
  return (
    <>
      <p class="trail">
        <a href="#/">Overview</a> / {name}
      </p>
      <h1>
        {name} {app && <StateBadge state={app.state} />}
      </h1>
      {app
        ? (
          <p class="facts">
            {app.ready} of {app.wanted} ready, generation {app.generation}, namespace{" "}
            {app.namespace}, signed by <code>{app.signedBy.slice(0, 12)}</code>{" "}
            {span(nowMs.value - app.signedWallMs)} ago; <a href={`#/traces/${name}`}>its traces</a>,
            {" "}
            <a href={`#/metrics/${name}`}>its metrics</a>
          </p>
        )
        : <p class="hush">It is not up.</p>}
      {app && app.reasons.length > 0 && (
        <section class="card problems" aria-label="Reasons">
          <ul>{app.reasons.slice(0, 20).map((text) => <li key={text}>{text}</li>)}</ul>
        </section>
      )}
      {app?.rollout && app.rollout.phase !== "done" && <Rollout rollout={app.rollout} />}
      <Traffic name={name} />
      <Routes name={name} />
      {app && (
        <section class="card">
          <h2>Replicas</h2>
          <ReplicaTable replicas={app.replicas} />
        </section>
      )}
      {app && <Generations app={app} />}
      <Logs title="Logs" url={`/api/logs/${name}?lines=100&follow=1`} />
      <section>
        <h2>Events</h2>
        <EventList events={own} />
      </section>
    </>
  );
}

/** The way to what is known of each route. */
function Routes({ name }: { readonly name: string }) {
  const routes = (lastSample.value?.routes ?? []).filter((each) => each.app === name);
  if (routes.length === 0) return null;
  return (
    <p class="facts routes">
      By route:
      {routes.slice(0, 30).map(({ route }) => (
        <a key={route} href={`#/route/${name}/${encodeURIComponent(route)}`}>{route}</a>
      ))}
    </p>
  );
}

function Traffic({ name }: { readonly name: string }) {
  const past = usePast<TrafficView>(`/api/traffic?app=${encodeURIComponent(name)}`);
  const track = (of: "requestsPerSecond" | "errorsPerSecond" | "p50Ms" | "p95Ms") =>
    past((traffic) => traffic[of], ({ apps }) => apps[name]?.[of]);
  const { wallMs, values: all } = track("requestsPerSecond");
  if (all.every((value) => value === null)) return null;
  const times = wallMs.map((each) => each / 1_000);
  const last = lastSample.value?.apps[name];
  return (
    <section class="card" aria-label="Traffic">
      <h2>
        Traffic{" "}
        {last && (
          <small>{short(last.requestsPerSecond)} requests/s, {last.inFlight} in flight</small>
        )}
      </h2>
      <div class="charts">
        <Chart
          title="Requests"
          unit="/s"
          times={times}
          lines={[
            { label: "all", color: "one", values: all },
            { label: "5xx", color: "bad", values: track("errorsPerSecond").values },
          ]}
        />
        <Chart
          title="Latency"
          unit="ms"
          times={times}
          lines={[
            { label: "p95", color: "two", values: track("p95Ms").values },
            { label: "p50", color: "one", values: track("p50Ms").values },
          ]}
        />
      </div>
    </section>
  );
}
