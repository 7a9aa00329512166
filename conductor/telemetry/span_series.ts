/** How each app answered over the last quarter of an hour, by its spans: bounded, in memory. */

import { SPAN_APPS, SPAN_CLOCK_MS, SPAN_SERIES, SPAN_SERIES_MS } from "../../core/limits.ts";
import type { SpanSeriesView, SpanTotals, SpanView } from "../../core/trace_view.ts";
import { latencyBucket, noLatencies, percentile } from "./latency.ts";

/** What ended in one span of time. */
interface Slot {
  /** Which span of time it is: wall ms / `SPAN_SERIES_MS`. */
  number: number;
  requests: number;
  failed: number;
  latency: number[];
}

export class SpanSeries {
  /** By app, the longest silent first; each a ring. */
  readonly #apps = new Map<string, (Slot | undefined)[]>();

  /** Counts a span; what ended too long ago, or is yet to come, is left out. */
  add({ app, startWallMs, ms, failed }: SpanView, nowWallMs: number): void {
    const endWallMs = startWallMs + ms;
    const number = Math.floor(endWallMs / SPAN_SERIES_MS);
    if (number < 0 || number <= numberOf(nowWallMs) - SPAN_SERIES) return;
    if (endWallMs > nowWallMs + SPAN_CLOCK_MS) return;
    const ring = this.#ringOf(app);
    const at = number % SPAN_SERIES;
    let slot = ring[at];
    if (slot?.number !== number) {
      ring[at] = slot = { number, requests: 0, failed: 0, latency: noLatencies() };
    }
    slot.requests++;
    if (failed) slot.failed++;
    slot.latency[latencyBucket(ms)]!++;
  }

  /** All apps that answered anything, the most asked first. */
  totals(nowWallMs: number): SpanTotals[] {
    const all: SpanTotals[] = [];
    for (const app of this.#apps.keys()) {
      const latency = noLatencies();
      let requests = 0;
      let failed = 0;
      for (const slot of this.#slotsOf(app, numberOf(nowWallMs))) {
        if (slot === null) continue;
        requests += slot.requests;
        failed += slot.failed;
        slot.latency.forEach((count, at) => latency[at]! += count);
      }
      if (requests === 0) continue;
      const [p50Ms, p99Ms] = [percentile(latency, 0.5), percentile(latency, 0.99)];
      all.push({ app, requests, failed, p50Ms, p99Ms });
    }
    return all.sort((a, b) => b.requests - a.requests);
  }

  /** One app over time. */
  series(app: string, nowWallMs: number): SpanSeriesView {
    const last = numberOf(nowWallMs) - 1;
    const slots = this.#slotsOf(app, last);
    const partOf = (part: number) =>
      slots.map((slot) => slot === null ? null : percentile(slot.latency, part));
    return {
      app,
      everyMs: SPAN_SERIES_MS,
      startWallMs: slots.map((_, at) => (last - SPAN_SERIES + 1 + at) * SPAN_SERIES_MS),
      requests: slots.map((slot) => slot?.requests ?? 0),
      failed: slots.map((slot) => slot?.failed ?? 0),
      p50Ms: partOf(0.5),
      p99Ms: partOf(0.99),
    };
  }

  #ringOf(app: string): (Slot | undefined)[] {
    const ring = this.#apps.get(app) ?? new Array<Slot | undefined>(SPAN_SERIES).fill(undefined);
    this.#apps.delete(app);
    this.#apps.set(app, ring);
    if (this.#apps.size > SPAN_APPS) this.#apps.delete(this.#apps.keys().next().value!);
    return ring;
  }

  /** The slots up to a number, oldest first; `null` where nothing ended. */
  #slotsOf(app: string, last: number): (Slot | null)[] {
    const ring = this.#apps.get(app);
    return Array.from({ length: SPAN_SERIES }, (_, at) => {
      const number = last - SPAN_SERIES + 1 + at;
      const slot = ring?.[number % SPAN_SERIES];
      return slot?.number === number ? slot : null;
    });
  }
}

function numberOf(wallMs: number): number {
  return Math.floor(wallMs / SPAN_SERIES_MS);
}
