// Spans and measured values, beside the log lines that the conductor's own store keeps: bounded, and
// no loss if they are lost.

import { DatabaseSync } from "node:sqlite";
import { SINK_POINTS, SINK_SPANS } from "../../kit/limits.ts";

/** One program's part of a trace. Times in ms since 1970. */
export interface SpanView {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly service: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

/** One value at one time. */
export interface PointView {
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly atMs: number;
  readonly value: number;
}

/** How a program answered lately. */
export interface Summary {
  readonly service: string;
  readonly requests: number;
  readonly failed: number;
  /** Of its spans, in ms. */
  readonly p50: number;
  readonly p99: number;
}

export interface SpanStore {
  addSpans(spans: readonly SpanView[]): void;
  addPoints(points: readonly PointView[]): void;
  /** A trace's spans: each after the one that asked for it, those of one asker as they began. */
  trace(traceId: string): SpanView[];
  /** The slowest beginnings of traces since a time: the spans whose asker is not kept here. */
  slowest(sinceMs: number, limit: number): SpanView[];
  /** The newest values of a name, oldest first. */
  points(name: string, limit: number): PointView[];
  /** How each program answered since a time. */
  summaries(sinceMs: number): Summary[];
  close(): void;
}

/**
 * Puts each span behind the one that asked for it. Times alone do not tell: they come in whole
 * milliseconds and from several machines' clocks.
 */
function inCallOrder(spans: readonly SpanView[]): SpanView[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const asked = Map.groupBy(
    spans,
    ({ parentId }) => parentId !== null && known.has(parentId) ? parentId : null,
  );
  const ordered = new Set<SpanView>();
  const open = [...asked.get(null) ?? []].reverse();
  for (let next = open.pop(); next; next = open.pop()) {
    if (ordered.has(next)) continue;
    ordered.add(next);
    open.push(...[...asked.get(next.spanId) ?? []].reverse());
  }
  // Whoever sends spans that ask for each other still sees them.
  return [...ordered, ...spans.filter((span) => !ordered.has(span))];
}

type SpanRow = Omit<SpanView, "failed"> & { failed: number };

/** Opens the file; a damaged one is the caller's to begin anew. */
export function openSpanStore(path: string): SpanStore {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec(`
    pragma journal_mode = wal;
    pragma synchronous = normal;
    create table if not exists span (
      id integer primary key, traceId text not null, spanId text not null, parentId text,
      service text not null, name text not null, startMs real not null, durationMs real not null,
      failed integer not null
    ) strict;
    create index if not exists span_trace on span (traceId);
    create index if not exists span_start on span (startMs);
    create table if not exists point (
      id integer primary key, service text not null, instance text not null, name text not null,
      atMs real not null, value real not null
    ) strict;
    create index if not exists point_name on point (name, id);
  `);
  const insertSpan = db.prepare("insert into span values (null, ?, ?, ?, ?, ?, ?, ?, ?)");
  const insertPoint = db.prepare("insert into point values (null, ?, ?, ?, ?, ?)");
  const together = (work: () => void) => {
    db.exec("begin immediate");
    try {
      work();
      db.exec("commit");
    } catch (error) {
      if (db.isTransaction) db.exec("rollback");
      throw error;
    }
  };
  /** Drops the oldest beyond so many; ids only grow. */
  const bound = (table: "span" | "point", most: number) =>
    db.exec(`delete from ${table} where id <= (select max(id) from ${table}) - ${most}`);
  const spansWhere = (where: string, ...values: (string | number)[]) =>
    (db.prepare(
      `select traceId, spanId, parentId, service, name, startMs, durationMs, failed from span ${where}`,
    ).all(...values) as unknown as SpanRow[]).map((each) => ({
      ...each,
      failed: each.failed === 1,
    }));
  return {
    addSpans: (spans) =>
      together(() => {
        for (
          const { traceId, spanId, parentId, service, name, startMs, durationMs, failed } of spans
        ) {
          insertSpan.run(
            ...[traceId, spanId, parentId, service, name, startMs, durationMs, Number(failed)],
          );
        }
        bound("span", SINK_SPANS);
      }),
    addPoints: (points) =>
      together(() => {
        for (const { service, instance, name, atMs, value } of points) {
          insertPoint.run(service, instance, name, atMs, value);
        }
        bound("point", SINK_POINTS);
      }),
    trace: (traceId) => inCallOrder(spansWhere("where traceId = ? order by startMs, id", traceId)),
    slowest: (sinceMs, limit) =>
      spansWhere(
        `where startMs >= ? and not exists (
           select 1 from span asker where asker.traceId = span.traceId and asker.spanId = span.parentId
         ) order by durationMs desc limit ?`,
        sinceMs,
        limit,
      ),
    points: (name, limit) =>
      (db.prepare(
        "select service, instance, name, atMs, value from point where name = ? order by id desc limit ?",
      ).all(name, limit) as unknown as PointView[]).reverse(),
    summaries(sinceMs) {
      const rows = db.prepare(
        "select service, durationMs, failed from span where startMs >= ? order by service, durationMs",
      ).all(sinceMs) as unknown as SpanRow[];
      return [...Map.groupBy(rows, (each) => each.service)].map(([service, spans]) => ({
        service,
        requests: spans.length,
        failed: spans.reduce((sum, each) => sum + each.failed, 0),
        p50: spans[Math.ceil(spans.length * 0.5) - 1]!.durationMs,
        p99: spans[Math.ceil(spans.length * 0.99) - 1]!.durationMs,
      }));
    },
    close: () => db.close(),
  };
}
