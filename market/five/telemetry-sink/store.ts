// What programs told of themselves: lines, spans and measured values, bounded, and no loss if they
// are lost. All replicas of the sink share the file.

import { inCallOrder } from "../../../core/call_order.ts";
import {
  type Database,
  type Migrations,
  openDatabase,
  row,
  rows,
  type Steps,
} from "../../kit/database.ts";
import { SINK_LOG_BYTES, SINK_POINTS, SINK_SPANS } from "../../kit/limits.ts";

const MIGRATIONS: Migrations = [[
  `create table lines (
    id integer primary key, at real not null, app text not null, replica text not null,
    line text not null, bytes integer not null
  )`,
  "create index lines_by_app on lines (app, id)",
  "create table kept (id integer primary key check (id = 1), bytes integer not null)",
  "insert into kept values (1, 0)",
  `create table spans (
    id integer primary key, trace text not null, span text not null, parent text,
    service text not null, name text not null, start real not null, duration real not null,
    failed integer not null
  )`,
  "create index spans_by_trace on spans (trace)",
  "create index spans_by_start on spans (start)",
  `create table points (
    id integer primary key, service text not null, instance text not null, name text not null,
    at real not null, value real not null
  )`,
  "create index points_by_name on points (name, id)",
  "create table turns (name text primary key, at real not null)",
], [
  "alter table points add column unit text not null default ''",
  "alter table points add column kind text not null default 'gauge'",
  "alter table points add column buckets text",
  "create index points_by_time on points (at)",
  "alter table spans add column instance text not null default ''",
  "alter table spans add column logged integer not null default 1",
  "create table told (name text primary key, id integer not null)",
]];

/** Bytes that a line takes beside its text. */
const OVERHEAD = 96;
/** SQLite's words for a file that is damaged, and for one that is none of its own. */
const DAMAGED = [11, 26];

/** A line that a program logged. */
export interface LineView {
  /** ms since 1970. */
  readonly wallMs: number;
  readonly app: string;
  readonly replica: string;
  readonly line: string;
}

/** Which lines are sought; what is absent does not matter. */
export interface LineSearch {
  readonly app?: string | undefined;
  /** A part of the line, as it stands. */
  readonly grep?: string | undefined;
  readonly sinceMs: number;
  /** The newest so many. */
  readonly limit: number;
}

/** One program's part of a trace. Times in ms since 1970. */
export interface SpanView {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly service: string;
  /** Which replica of it. */
  readonly instance: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  /** The program's own log tells of it, too. */
  readonly logged: boolean;
}

/** One value at one time. */
export interface PointView {
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  /** As OpenTelemetry writes units (UCUM): `By`, `s`, `{request}`; empty: none was told. */
  readonly unit: string;
  /** `counter` only grows, until its program starts again; so do the counts of a `histogram`. */
  readonly kind: "gauge" | "counter" | "histogram";
  readonly atMs: number;
  /** Of a histogram: how many there were. */
  readonly value: number;
  /** How many were up to each bound, and above the last one. */
  readonly buckets?: { readonly bounds: readonly number[]; readonly counts: readonly number[] };
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

export interface TelemetryStore {
  addLines(lines: readonly LineView[]): Promise<void>;
  addSpans(spans: readonly SpanView[]): Promise<void>;
  addPoints(points: readonly PointView[]): Promise<void>;
  /** The newest lines that match, oldest first. */
  lines(search: LineSearch): Promise<LineView[]>;
  /** A trace's spans: each after the one that asked for it, those of one asker as they began. */
  trace(traceId: string): Promise<SpanView[]>;
  /** The slowest beginnings of traces since a time: the spans whose asker is not kept here. */
  slowest(sinceMs: number, limit: number): Promise<SpanView[]>;
  /** The newest values of a name, oldest first. */
  points(name: string, limit: number): Promise<PointView[]>;
  /** All values since a time, oldest first. */
  recent(sinceMs: number): Promise<PointView[]>;
  /**
   * The oldest spans that have not been taken by this yet and are in no program's log; later calls, of
   * other replicas as well, begin after them. Those that nobody took in time are gone.
   */
  takeSpans(limit: number): Promise<SpanView[]>;
  /** How each program answered since a time. */
  summaries(sinceMs: number): Promise<Summary[]>;
  /** Whether it is this replica's turn at something that one of them does, every so often. */
  turn(name: string, now: number, everyMs: number): Promise<boolean>;
  close(): Promise<void>;
}

type SpanRow = Omit<SpanView, "failed" | "logged"> & { failed: number; logged: number };
type PointRow = Omit<PointView, "buckets"> & { buckets: string | null };

const SPANS = `select trace as "traceId", span as "spanId", parent as "parentId", service, instance,
  name, start as "startMs", duration as "durationMs", failed, logged from spans`;
const POINTS =
  `select service, instance, name, unit, kind, at as "atMs", value, buckets from points`;

/** Opens the file in a folder; one that is damaged is put aside, and all begins anew. */
export async function openTelemetryStore(
  folder: string,
  maxBytes = SINK_LOG_BYTES,
): Promise<TelemetryStore> {
  const database = await opened(folder);
  const add = <T>(
    all: readonly T[],
    insert: (each: T) => Steps<unknown>,
    after: () => Steps<void>,
  ) =>
    database.transaction(function* () {
      for (const each of all) yield* insert(each);
      yield* after();
    });
  /** Drops the oldest beyond so many; ids only grow. */
  const bound = (table: "spans" | "points", most: number) =>
    function* (): Steps<void> {
      yield* rows(`delete from ${table} where id <= (select max(id) from ${table}) - ${most}`);
    };
  const spansWhere = async (where: string, ...values: (string | number)[]) =>
    (await database.query<SpanRow & Record<string, string | number | null>>(
      `${SPANS} ${where}`,
      ...values,
    )).map(spanOfRow);
  const pointsWhere = async (where: string, ...values: (string | number)[]) =>
    (await database.query<PointRow & Record<string, string | number | null>>(
      `${POINTS} ${where}`,
      ...values,
    )).map(({ buckets, ...rest }): PointView => ({
      ...rest,
      ...(buckets === null ? {} : { buckets: JSON.parse(buckets) }),
    }));
  return {
    addLines: (lines) =>
      add(lines, ({ wallMs, app, replica, line }) =>
        rows(
          "insert into lines (at, app, replica, line, bytes) values (?, ?, ?, ?, ?)",
          ...[wallMs, app, replica, line, line.length + OVERHEAD],
        ), () => {
        const bytes = lines.reduce((sum, { line }) => sum + line.length + OVERHEAD, 0);
        return boundLines(bytes, maxBytes);
      }),
    addSpans: (spans) =>
      add(spans, (span) =>
        rows(
          `insert into spans
             (trace, span, parent, service, instance, name, start, duration, failed, logged)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[span.traceId, span.spanId, span.parentId, span.service, span.instance, span.name],
          ...[span.startMs, span.durationMs, Number(span.failed), Number(span.logged)],
        ), bound("spans", SINK_SPANS)),
    addPoints: (points) =>
      add(points, ({ service, instance, name, unit, kind, atMs, value, buckets }) =>
        rows(
          `insert into points (service, instance, name, unit, kind, at, value, buckets)
           values (?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[service, instance, name, unit, kind, atMs, value],
          buckets === undefined ? null : JSON.stringify(buckets),
        ), bound("points", SINK_POINTS)),
    lines: async ({ app = null, grep = null, sinceMs, limit }) =>
      (await database.query<LineView & Record<string, string | number>>(
        `select at as "wallMs", app, replica, line from lines
         where (? is null or app = ?) and (? is null or instr(line, ?) > 0) and at >= ?
         order by id desc limit ?`,
        ...[app, app, grep, grep, sinceMs, limit],
      )).reverse(),
    trace: async (traceId) =>
      inCallOrder(
        await spansWhere("where trace = ? order by start, id", traceId),
        ({ spanId: id, parentId: asker, startMs }) => ({ id, asker, startMs }),
      ).map(({ span }) => span),
    slowest: (sinceMs, limit) =>
      spansWhere(
        `where start >= ? and not exists (
           select 1 from spans asker where asker.trace = spans.trace and asker.span = spans.parent
         ) order by duration desc limit ?`,
        sinceMs,
        limit,
      ),
    points: async (name, limit) =>
      (await pointsWhere("where name = ? order by id desc limit ?", name, limit)).reverse(),
    recent: (sinceMs) => pointsWhere("where at >= ? order by at, id", sinceMs),
    takeSpans: (limit) =>
      database.transaction(function* () {
        const told = yield* row<{ id: number }>("select id from told where name = 'spans'");
        const found = yield* rows<
          SpanRow & { id: number } & Record<string, string | number | null>
        >(
          `select id, ${SPANS.slice("select ".length)}
           where id > ? and logged = 0 order by id limit ?`,
          ...[told?.id ?? 0, limit],
        );
        const last = found.at(-1)?.id;
        if (last !== undefined) {
          yield* rows(
            `insert into told (name, id) values ('spans', ?)
             on conflict (name) do update set id = excluded.id`,
            last,
          );
        }
        return found.map(({ id: _, ...each }) => spanOfRow(each as SpanRow));
      }),
    async summaries(sinceMs) {
      const all = await spansWhere("where start >= ? order by service, duration", sinceMs);
      return [...Map.groupBy(all, (each) => each.service)].map(([service, spans]) => ({
        service,
        requests: spans.length,
        failed: spans.filter(({ failed }) => failed).length,
        p50: spans[Math.ceil(spans.length * 0.5) - 1]!.durationMs,
        p99: spans[Math.ceil(spans.length * 0.99) - 1]!.durationMs,
      }));
    },
    async turn(name, now, everyMs) {
      const taken = await database.query(
        `insert into turns (name, at) values (?, ?)
         on conflict (name) do update set at = excluded.at where turns.at <= ? returning name`,
        ...[name, now, now - everyMs],
      );
      return taken.length === 1;
    },
    close: () => database.close(),
  };
}

function spanOfRow({ failed, logged, ...rest }: SpanRow): SpanView {
  return { ...rest, failed: failed === 1, logged: logged === 1 };
}

/** Counts bytes of lines that were added; where there are too many, the oldest tenth goes. */
function* boundLines(added: number, most: number): Steps<void> {
  const kept = yield* row<{ bytes: number }>(
    "update kept set bytes = bytes + ? returning bytes",
    added,
  );
  if (kept!.bytes <= most) return;
  const last = yield* row<{ id: number | null }>(
    `select min(id) as id from (
       select id, sum(bytes) over (order by id) as upto from lines
     ) where upto >= ?`,
    kept!.bytes - Math.floor(most * 0.9),
  );
  yield* rows("delete from lines where id <= ?", last!.id);
  yield* rows("update kept set bytes = (select coalesce(sum(bytes), 0) from lines)");
}

async function opened(folder: string): Promise<Database> {
  const name = "telemetry-sink";
  const settings = { name, folder, migrations: MIGRATIONS, relaxed: true };
  try {
    return await openDatabase(settings);
  } catch (error) {
    if (!DAMAGED.includes((error as { errcode?: number }).errcode ?? 0)) throw error;
    for (const end of ["", "-wal", "-shm"]) {
      const file = `${folder}/${name}.db${end}`;
      await Deno.rename(file, `${file}.damaged`).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
    return await openDatabase(settings);
  }
}
