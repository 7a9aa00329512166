import type { LoadsView } from "../../../core/deck_view.ts";
import type { NodeView, ReplicaView } from "../../../core/view.ts";
import { size, span } from "../format.ts";
import { Chart } from "../parts/chart.tsx";
import { EventList } from "../parts/events.tsx";
import { ReplicaTable } from "../parts/replicas.tsx";
import { usePast } from "../past.ts";
import { events, freeBytesOf, silenceOf, status } from "../state.ts";

export function NodePage({ name }: { readonly name: string }) {
  const { nodes, apps } = status.value!;
  const node = nodes.find((each) => each.name === name);
  if (!node) return <p class="hush">No node is named {name}.</p>;
  const replicas = apps.flatMap((app) => app.replicas).filter((each) => each.nodeId === node.id);
  const own = events.value.filter((event) => event.node === name).slice(0, 30);
  return (
    <>
      <p class="trail">
        <a href="#/">Overview</a> / {name}
      </p>
      <h1>
        <i class={`dot ${node.state === "ready" ? "good" : "bad"}`} /> {name}
      </h1>
      <Facts node={node} />
      <Load name={name} />
      <section class="card">
        <h2>Replicas</h2>
        <ReplicaTable replicas={replicas} byApp={appOf} />
      </section>
      <section>
        <h2>Events</h2>
        <EventList events={own} />
      </section>
    </>
  );
}

function Load({ name }: { readonly name: string }) {
  const past = usePast<LoadsView>(`/api/load?node=${encodeURIComponent(name)}`);
  const chart = (title: string, label: string, color: string, of: "cpuPercent" | "ramPercent") => {
    const { wallMs, values } = past(
      ({ nodes }) => nodes[name]?.[of],
      ({ nodes }) => nodes[name]?.[of],
    );
    const times = wallMs.map((each) => each / 1_000);
    return (
      <Chart title={title} unit="%" most={100} times={times} lines={[{ label, color, values }]} />
    );
  };
  return (
    <section class="card charts" aria-label="Load">
      {chart("CPU", "of all cores", "one", "cpuPercent")}
      {chart("RAM", "in use", "two", "ramPercent")}
    </section>
  );
}

function Facts({ node }: { readonly node: NodeView }) {
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
  return (
    <p class="facts">
      {node.host}:{node.port}, {node.cores} cores, {size(freeBytesOf(node))} free of{" "}
      {size(node.ramTotalBytes)}
      {node.gpu && ", GPU"}
      {labels.length > 0 && `, ${labels.join(", ")}`}
      {node.state !== "ready" && `, silent for ${span(silenceOf(node))}`}
      {node.reason && `, ${node.reason}`}
    </p>
  );
}

/** A replica's id is its app's name, a dot and a number. */
function appOf(replica: ReplicaView): string {
  return replica.replica.slice(0, replica.replica.lastIndexOf("."));
}
