/** The traces of the last while: bounded, in memory. */

import { inCallOrder } from "../../core/call_order.ts";
import { SPANS_KEPT, TRACE_SLOWEST, TRACE_SPANS } from "../../core/limits.ts";
import type { SpanView, TraceSpanView, TraceView } from "../../core/trace_view.ts";

interface Trace {
  readonly spans: SpanView[];
  longestMs: number;
  endWallMs: number;
}

export interface TraceSearch {
  /** Took part in it. */
  readonly app?: string;
  /** Only those with a span that failed. */
  readonly failed?: boolean;
  /** Only those that ended since then. */
  readonly sinceWallMs?: number;
  readonly limit: number;
  /** Whether an app's spans are shown to whoever asks. */
  shows(app: string): boolean;
}

const MINUTE_MS = 60_000;

export class TraceBook {
  /** By id, in the order in which they were first told of. */
  readonly #traces = new Map<string, Trace>();
  #spans = 0;

  /** How many spans are kept. */
  get spans(): number {
    return this.#spans;
  }

  /** Takes a span in; `false` where it is known already, or its trace has too many. */
  add(span: SpanView): boolean {
    let trace = this.#traces.get(span.trace);
    if (trace === undefined) {
      this.#traces.set(span.trace, trace = { spans: [], longestMs: 0, endWallMs: 0 });
    }
    if (trace.spans.length >= TRACE_SPANS) return false;
    if (trace.spans.some((each) => each.span === span.span && each.app === span.app)) return false;
    trace.spans.push(span);
    trace.longestMs = Math.max(trace.longestMs, span.ms);
    trace.endWallMs = Math.max(trace.endWallMs, span.startWallMs + span.ms);
    this.#spans++;
    if (this.#spans > SPANS_KEPT) this.#drop(SPANS_KEPT * 0.9);
    return true;
  }

  /** The slowest traces, as far as they are shown. */
  slowest({ app, failed, sinceWallMs = 0, limit, shows }: TraceSearch): TraceView[] {
    const found: TraceView[] = [];
    const traces = [...this.#traces].sort(([, a], [, b]) => b.longestMs - a.longestMs);
    for (const [id, { spans, endWallMs, longestMs }] of traces) {
      // No trace takes longer than its longest span: those that follow are faster than all these.
      if (found.length >= limit && longestMs <= (found.at(-1)?.ms ?? Infinity)) break;
      if (endWallMs < sinceWallMs) continue;
      const shown = spans.filter((each) => shows(each.app));
      if (app !== undefined && !shown.some((each) => each.app === app)) continue;
      const view = traceView(id, shown);
      if (view === null || (failed === true && view.failed === 0)) continue;
      found.push(view);
      found.sort((a, b) => b.ms - a.ms).splice(limit);
    }
    return found;
  }

  /** A trace's spans as far as they are shown: each after the one that asked for it. */
  trace(id: string, shows: (app: string) => boolean): TraceSpanView[] {
    const spans = this.#traces.get(id)?.spans ?? [];
    return ordered(spans.filter((each) => shows(each.app)));
  }

  /**
   * Drops the oldest traces until no more than so many spans are left. The slowest of each minute,
   * which are what is looked for later, stay for longer, as long as they are at most half of it.
   */
  #drop(most: number): void {
    const kept = this.#slowestOfMinutes(most / 2);
    for (const [id, trace] of this.#traces) {
      if (this.#spans <= most) return;
      if (kept.has(trace)) continue;
      this.#traces.delete(id);
      this.#spans -= trace.spans.length;
    }
  }

  #slowestOfMinutes(most: number): Set<Trace> {
    const minutes = [
      ...Map.groupBy(
        this.#traces.values(),
        ({ endWallMs }) => Math.floor(endWallMs / MINUTE_MS),
      ),
    ].sort(([a], [b]) => b - a);
    const kept = new Set<Trace>();
    let spans = 0;
    for (const [, traces] of minutes) {
      traces.sort((a, b) => b.longestMs - a.longestMs);
      for (const trace of traces.slice(0, TRACE_SLOWEST)) {
        spans += trace.spans.length;
        if (spans > most) return kept;
        kept.add(trace);
      }
    }
    return kept;
  }
}

/** A trace's spans in the order of its calls. */
function ordered(spans: readonly SpanView[]): TraceSpanView[] {
  const calls = inCallOrder(spans, ({ span, parent = null, startWallMs }) => ({
    id: span,
    asker: parent,
    startMs: startWallMs,
  }));
  return calls.map(({ span, depth }) => ({ ...span, depth }));
}

function traceView(trace: string, spans: readonly SpanView[]): TraceView | null {
  const calls = ordered(spans);
  const roots = calls.filter(({ depth }) => depth === 0);
  const [first] = roots.toSorted((a, b) => b.ms - a.ms);
  if (first === undefined) return null;
  const { app, name, startWallMs, ms } = first;
  return {
    ...{ trace, app, name, startWallMs, ms },
    spans: spans.length,
    failed: spans.filter((each) => each.failed).length,
    apps: [...new Set(calls.map((each) => each.app))],
  };
}
