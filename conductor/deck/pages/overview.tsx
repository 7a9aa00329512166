import type { AppView, NodeView } from "../../../core/view.ts";
import { short, size, span, took } from "../format.ts";
import { EventList } from "../parts/events.tsx";
import { Dots, ReplicaDot, StateBadge } from "../parts/replicas.tsx";
import { Spark } from "../parts/spark.tsx";
import { joined } from "../past.ts";
import {
  events,
  freeBytesOf,
  lastSample,
  loads,
  nowMs,
  samples,
  silenceOf,
  status,
} from "../state.ts";

const MATRIX_NODES = 24;
/** What small charts show, and of so many samples at most. */
const SPARK_MS = 120_000;
const SPARK_SAMPLES = 75;

export function Overview() {
  const { nodes, apps, problems } = status.value!;
  return (
    <>
      {problems.length > 0 && (
        <section class="card problems" aria-label="Problems">
          <h2>{problems.length === 1 ? "A problem" : `${problems.length} problems`}</h2>
          <ul>{problems.slice(0, 20).map((text) => <li key={text}>{text}</li>)}</ul>
        </section>
      )}
      <section aria-labelledby="nodes">
        <h2 id="nodes">Nodes</h2>
        <div class="nodes">{nodes.map((node) => <NodeCard key={node.id} node={node} />)}</div>
        {nodes.length === 0 && <p class="hush">No node has joined yet.</p>}
      </section>
      <section aria-labelledby="apps">
        <h2 id="apps">Apps</h2>
        <AppTable apps={apps} />
      </section>
      <RouteTable />
      {nodes.length <= MATRIX_NODES && apps.length > 0 && <Matrix nodes={nodes} apps={apps} />}
      <section aria-labelledby="latest">
        <h2 id="latest">Latest events</h2>
        <EventList events={events.value.slice(0, 12)} />
      </section>
    </>
  );
}

function NodeCard({ node }: { readonly node: NodeView }) {
  const bad = node.state !== "ready";
  return (
    <a class={`card node ${bad ? "lost" : ""}`} href={`#/node/${node.name}`}>
      <strong>
        <i class={`dot ${bad ? "bad" : "good"}`} />
        {node.name}
      </strong>
      <small>{bad ? `silent for ${span(silenceOf(node))}` : `${node.replicas} replicas`}</small>
      <Meter node={node} title="CPU" color="one" of="cpuPercent" />
      <Meter node={node} title="RAM" color="two" of="ramPercent" />
      <small>{size(freeBytesOf(node))} free of {size(node.ramTotalBytes)}</small>
      {node.reason && <small class="bad">{node.reason}</small>}
    </a>
  );
}

interface MeterProps {
  readonly node: NodeView;
  readonly title: string;
  readonly color: string;
  readonly of: "cpuPercent" | "ramPercent";
}

function Meter({ node: { name }, title, color, of }: MeterProps) {
  const { wallMs, nodes } = loads.value;
  const past = nodes[name];
  const track = joined(
    past ? { wallMs, values: past[of] } : null,
    samples.value,
    (sample) => sample.nodes[name]?.[of],
    SPARK_SAMPLES,
  );
  const last = track.values.at(-1);
  return (
    <span class="meter">
      <span>{title} {last ?? "–"} %</span>
      <Spark {...track} spanMs={SPARK_MS} most={100} color={color} label={`${title} of ${name}`} />
    </span>
  );
}

function AppTable({ apps }: { readonly apps: readonly AppView[] }) {
  if (apps.length === 0) {
    return <p class="hush">Nothing is deployed. Try: skr8tr up shop-bell.skr8tr</p>;
  }
  const sample = lastSample.value;
  return (
    <div class="scroll card" tabindex={0} role="region" aria-label="Apps">
      <table>
        <thead>
          <tr>
            <th>App</th>
            <th>State</th>
            <th class="number">Ready</th>
            <th class="wide">Replicas</th>
            <th class="number wide">Generation</th>
            <th class="number">Req/s</th>
            <th class="number wide">p95</th>
            <th class="number wide">5xx/s</th>
            <th class="number wide">Signed</th>
          </tr>
        </thead>
        <tbody>
          {apps.map((app) => {
            const traffic = sample?.apps[app.app];
            return (
              <tr key={app.app}>
                <td>
                  <a href={`#/app/${app.app}`}>{app.app}</a>
                </td>
                <td>
                  <StateBadge state={app.state} />
                </td>
                <td class="number">{app.ready}/{app.wanted}</td>
                <td class="wide">
                  <Dots replicas={app.replicas} />
                </td>
                <td class="number wide">{app.generation}</td>
                <td class="number">{traffic ? short(traffic.requestsPerSecond) : ""}</td>
                <td class="number wide">{latency(traffic, traffic?.p95Ms)}</td>
                <td class={`number wide ${traffic?.errorsPerSecond ? "bad" : ""}`}>
                  {traffic ? short(traffic.errorsPerSecond) : ""}
                </td>
                <td class="number wide" title={`by ${app.signedBy}`}>
                  {span(nowMs.value - app.signedWallMs)} ago
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Where nobody asks nothing takes any time. */
function latency(traffic: { readonly requestsPerSecond: number } | undefined, ms = 0): string {
  return traffic && traffic.requestsPerSecond > 0 ? took(ms) : "";
}

/** What comes in at the ingresses, route by route. */
function RouteTable() {
  const routes = lastSample.value?.routes ?? [];
  if (routes.length === 0) return null;
  return (
    <section aria-labelledby="routes">
      <h2 id="routes">Routes</h2>
      <div class="scroll card" tabindex={0} role="region" aria-label="Routes">
        <table>
          <thead>
            <tr>
              <th>Route</th>
              <th class="wide">App</th>
              <th class="number">Req/s</th>
              <th class="number wide">p50</th>
              <th class="number">p95</th>
              <th class="number">5xx/s</th>
            </tr>
          </thead>
          <tbody>
            {routes.map(({ app, route, requestsPerSecond, p50Ms, p95Ms, errorsPerSecond }) => (
              <tr key={`${app} ${route}`}>
                <td>
                  <a href={`#/route/${app}/${encodeURIComponent(route)}`}>{route}</a>
                </td>
                <td class="wide">
                  <a href={`#/app/${app}`}>{app}</a>
                </td>
                <td class="number">{short(requestsPerSecond)}</td>
                <td class="number wide">{latency({ requestsPerSecond }, p50Ms)}</td>
                <td class="number">{latency({ requestsPerSecond }, p95Ms)}</td>
                <td class={`number ${errorsPerSecond > 0 ? "bad" : ""}`}>
                  {short(errorsPerSecond)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Which replica is where: a row an app, a column a node. */
function Matrix({ nodes, apps }: {
  readonly nodes: readonly NodeView[];
  readonly apps: readonly AppView[];
}) {
  return (
    <section aria-labelledby="places">
      <h2 id="places">Replicas by node</h2>
      <div class="scroll card" tabindex={0} role="region" aria-label="Replicas by node">
        <table class="matrix">
          <thead>
            <tr>
              <th>App</th>
              {nodes.map((node) => <th key={node.id}>{node.name}</th>)}
            </tr>
          </thead>
          <tbody>
            {apps.map((app) => (
              <tr key={app.app}>
                <th scope="row">{app.app}</th>
                {nodes.map((node) => (
                  <td key={node.id}>
                    <span class="dots">
                      {app.replicas.filter((each) => each.nodeId === node.id).map((each) => (
                        <ReplicaDot key={each.replica} replica={each} />
                      ))}
                    </span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
