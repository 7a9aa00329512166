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
  /** How each program answered since a time. */
  summaries(sinceMs: number): Promise<Summary[]>;
  /** Whether it is this replica's turn at something that one of them does, every so often. */
  turn(name: string, now: number, everyMs: number): Promise<boolean>;
  close(): Promise<void>;
}

type SpanRow = Omit<SpanView, "failed"> & { failed: number };

const SPANS = `select trace as "traceId", span as "spanId", parent as "parentId", service, name,
  start as "startMs", duration as "durationMs", failed from spans`;

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
    )).map((each): SpanView => ({ ...each, failed: each.failed === 1 }));
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
          `insert into spans (trace, span, parent, service, name, start, duration, failed)
           values (?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[span.traceId, span.spanId, span.parentId, span.service, span.name],
          ...[span.startMs, span.durationMs, Number(span.failed)],
        ), bound("spans", SINK_SPANS)),
    addPoints: (points) =>
      add(points, ({ service, instance, name, atMs, value }) =>
        rows(
          "insert into points (service, instance, name, at, value) values (?, ?, ?, ?, ?)",
          ...[service, instance, name, atMs, value],
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
      (await database.query<PointView & Record<string, string | number>>(
        `select service, instance, name, at as "atMs", value from points where name = ?
         order by id desc limit ?`,
        name,
        limit,
      )).reverse(),
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
