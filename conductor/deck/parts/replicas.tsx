import type { AppView, ReplicaView } from "../../../core/view.ts";
import { ending, span } from "../format.ts";
import { nowMs } from "../state.ts";

/** A dot for each replica, colored by its state. */
export function Dots({ replicas }: { readonly replicas: readonly ReplicaView[] }) {
  const shown = replicas.slice(0, 60);
  return (
    <span class="dots">
      {shown.map((each) => <ReplicaDot key={each.replica} replica={each} />)}
      {replicas.length > shown.length && <span>+{replicas.length - shown.length}</span>}
    </span>
  );
}

export function ReplicaDot({ replica }: { readonly replica: ReplicaView }) {
  const text = `${replica.replica}: ${replica.state} on ${replica.node}`;
  return <i class={`dot state-${replica.state}`} role="img" aria-label={text} title={text} />;
}

export function StateBadge({ state }: { readonly state: AppView["state"] | ReplicaView["state"] }) {
  return <span class={`badge state-${state}`}>{state}</span>;
}

interface TableProps {
  readonly replicas: readonly ReplicaView[];
  /** Shown instead of the node: on a node's page that is always the same. */
  readonly byApp?: (replica: ReplicaView) => string;
}

export function ReplicaTable({ replicas, byApp }: TableProps) {
  if (replicas.length === 0) return <p class="hush">None.</p>;
  return (
    <div class="scroll" tabindex={0} role="region" aria-label="Replicas">
      <table>
        <thead>
          <tr>
            <th>Replica</th>
            <th>State</th>
            <th class="number wide">Generation</th>
            <th class={byApp ? "wide" : ""}>{byApp ? "App" : "Node"}</th>
            <th class="number">Port</th>
            <th class="number">Since</th>
            <th class="number">Restarts</th>
            <th>Last word</th>
          </tr>
        </thead>
        <tbody>
          {replicas.map((each) => (
            <tr key={each.replica}>
              <td>
                {byApp ? <a href={`#/app/${byApp(each)}`}>{each.replica}</a> : each.replica}
              </td>
              <td>
                <StateBadge state={each.state} />
              </td>
              <td class="number wide">{each.generation}</td>
              <td class={byApp ? "wide" : ""}>
                {byApp
                  ? <a href={`#/app/${byApp(each)}`}>{byApp(each)}</a>
                  : <a href={`#/node/${each.node}`}>{each.node}</a>}
              </td>
              <td class="number">{each.port ?? ""}</td>
              <td class="number">
                {each.sinceWallMs > 0 ? span(nowMs.value - each.sinceWallMs) : ""}
              </td>
              <td class="number">{each.restarts}</td>
              <td class="words">{each.reason ?? (each.exit ? ending(each.exit) : "")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
