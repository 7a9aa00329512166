import type { NodeView, ReplicaView } from "../../../core/view.ts";
import { size, span } from "../format.ts";
import { Chart } from "../parts/chart.tsx";
import { EventList } from "../parts/events.tsx";
import { ReplicaTable } from "../parts/replicas.tsx";
import { events, freeBytesOf, samples, silenceOf, status } from "../state.ts";

export function NodePage({ name }: { readonly name: string }) {
  const { nodes, apps } = status.value!;
  const node = nodes.find((each) => each.name === name);
  if (!node) return <p class="hush">No node is named {name}.</p>;
  const replicas = apps.flatMap((app) => app.replicas).filter((each) => each.nodeId === node.id);
  const all = samples.value;
  const times = all.map((sample) => sample.wallMs / 1_000);
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
      <section class="card charts" aria-label="Load">
        <Chart
          title="CPU"
          unit="%"
          most={100}
          times={times}
          lines={[{
            label: "of all cores",
            color: "one",
            values: all.map((sample) => sample.nodes[name]?.cpuPercent ?? null),
          }]}
        />
        <Chart
          title="RAM"
          unit="%"
          most={100}
          times={times}
          lines={[{
            label: "in use",
            color: "two",
            values: all.map((sample) => sample.nodes[name]?.ramPercent ?? null),
          }]}
        />
      </section>
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
