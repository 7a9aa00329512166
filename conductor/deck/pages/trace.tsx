// One trace: who asked whom, and how long each took.

import type { TraceSpanView } from "../../../core/trace_view.ts";
import { clock, took } from "../format.ts";
import { usePolled } from "../lines.ts";
import { Problem } from "../parts/search.tsx";

/** A trace that is still going on grows. */
const POLL_MS = 5_000;
/** Steps that are indented; what is deeper stands below the last of them. */
const DEEPEST = 8;
const COLORS = 4;

export function TracePage({ id }: { readonly id: string }) {
  const { value, problem } = usePolled<{ spans: readonly TraceSpanView[] }>(
    `/api/telemetry/traces/${encodeURIComponent(id)}`,
    POLL_MS,
  );
  return (
    <>
      <p class="trail">
        <a href="#/traces">Traces</a> / {id.slice(0, 8)}
      </p>
      <h1>{value?.spans[0]?.name ?? "Trace"}</h1>
      <Problem text={problem} />
      {value && <Waterfall spans={value.spans} />}
      <p class="facts">
        <a href={`#/logs/${id}`}>Lines of this trace</a>
      </p>
    </>
  );
}

function Waterfall({ spans }: { readonly spans: readonly TraceSpanView[] }) {
  const begin = Math.min(...spans.map((each) => each.startWallMs));
  const end = Math.max(...spans.map((each) => each.startWallMs + each.ms));
  const apps = [...new Set(spans.map((each) => each.app))];
  const failed = spans.filter((each) => each.failed).length;
  return (
    <>
      <p class="facts">
        Began at {clock(begin)}, took {took(end - begin)}; {spans.length}{" "}
        {spans.length === 1 ? "span" : "spans"} of {apps.join(", ")}
        {failed > 0 && <span class="problem">; {failed} failed</span>}
      </p>
      <div class="scroll card" tabindex={0} role="region" aria-label="Spans">
        <table class="waterfall">
          <thead>
            <tr>
              <th>Call</th>
              <th>When</th>
              <th class="number">Took</th>
            </tr>
          </thead>
          <tbody>
            {spans.map((each) => (
              <tr key={`${each.app} ${each.span}`}>
                <td
                  class="words"
                  style={{ paddingLeft: `${Math.min(DEEPEST, each.depth) * 0.7}rem` }}
                >
                  {each.name}
                  <small>
                    <a href={`#/traces/${each.app}`}>{each.app}</a>
                    <span class="wide">{whereabouts(each)}</span>
                  </small>
                </td>
                <td>
                  <Bar
                    from={each.startWallMs - begin}
                    ms={each.ms}
                    all={end - begin}
                    tint={each.failed ? "problem" : `tint-${apps.indexOf(each.app) % COLORS}`}
                  />
                </td>
                <td class={`number ${each.failed ? "bad" : ""}`}>{took(each.ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** What is known of where it ran, and who told of it. */
function whereabouts({ replica, node, by }: TraceSpanView): string {
  const at = replica && node ? `, ${replica} on ${node}` : replica && `, ${replica}`;
  return by === undefined ? at : `${at}, told by ${by}`;
}

interface BarProps {
  readonly from: number;
  readonly ms: number;
  readonly all: number;
  readonly tint: string;
}

function Bar({ from, ms, all, tint }: BarProps) {
  const part = (of: number) => 100 * of / Math.max(all, 1e-6);
  return (
    <svg
      class={`bar ${tint}`}
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      role="img"
      aria-label={`from ${took(from)} to ${took(from + ms)}`}
    >
      {/* However short it was, it is seen. */}
      <rect x={Math.min(99, part(from))} width={Math.max(1, part(ms))} y="0" height="10" />
    </svg>
  );
}
