import type { Context } from "hono";
import {
  SINK_FRESH_MS,
  SINK_SHOWN,
  SINK_SUMMARY_LOOK_MS,
  SINK_SUMMARY_MS,
  SINK_TAKEN_SPANS,
} from "../../kit/limits.ts";
import type { Identity, Module } from "../../kit/modules.ts";
import { insideOnly, pathText, queryInteger, queryText, readBody } from "../../kit/request.ts";
import { createSessionReader, staffOnly } from "../../kit/session.ts";
import { linesOf, pointsOf, spansOf } from "./otlp.ts";
import type { TelemetryStore } from "./store.ts";
import { spanLines, valueLines } from "./told.ts";

const anything = (value: unknown) => value;
const TRACE = /^[0-9a-f]{32}$/;

/**
 * Logs, traces and values of the market's programs, by OTLP over HTTP in JSON; kept bounded in the
 * store, shown to staff. What it makes of them one replica also logs, so that the deck shows it.
 */
export function createSink(
  store: TelemetryStore,
  { identity, now }: { readonly identity: Identity; now(): number },
): Module<{ readonly receive: Module<unknown>["routes"] }> {
  const staff = staffOnly(createSessionReader(identity, now));
  const since = (c: Context) => now() - (queryInteger(c, "seconds", 1, 86_400) ?? 3_600) * 1_000;
  const limit = (c: Context) => queryInteger(c, "limit", 1, SINK_SHOWN) ?? 100;
  const receive: Module<unknown>["routes"] = ({ app, note, onClose }) => {
    const sum = async () => {
      if (!await store.turn("summary", now(), SINK_SUMMARY_MS)) return;
      for (const each of await store.summaries(now() - SINK_SUMMARY_MS)) {
        note("summary", { ...each });
      }
      const points = await store.recent(now() - 2 * SINK_FRESH_MS);
      for (const line of valueLines(points, now())) note("metrics", { ...line });
      const spans = await store.takeSpans(SINK_TAKEN_SPANS);
      for (const line of spanLines(spans)) note("spans", { ...line });
    };
    let summing: Promise<void> | undefined;
    const timer = setInterval(() => {
      summing ??= sum()
        .catch((error) => note("store-trouble", { error: String(error) }))
        .finally(() => summing = undefined);
    }, SINK_SUMMARY_LOOK_MS);
    onClose(async () => {
      clearInterval(timer);
      await summing;
      await store.close();
    });
    app.post("/v1/logs", async (c) => {
      insideOnly(c);
      await store.addLines(linesOf(await readBody(c, anything), now()));
      return c.json({});
    });
    app.post("/v1/traces", async (c) => {
      insideOnly(c);
      await store.addSpans(spansOf(await readBody(c, anything), now()));
      return c.json({});
    });
    app.post("/v1/metrics", async (c) => {
      insideOnly(c);
      await store.addPoints(pointsOf(await readBody(c, anything), now()));
      return c.json({});
    });
  };
  const routes: Module<unknown>["routes"] = ({ app }) => {
    app.get("/telemetry/logs", async (c) => {
      await staff(c);
      const [app, grep] = [queryText(c, "app"), queryText(c, "grep")];
      const search = { app, grep, sinceMs: since(c), limit: limit(c) };
      return c.json({ items: await store.lines(search) });
    });
    app.get("/telemetry/traces", async (c) => {
      await staff(c);
      return c.json({ items: await store.slowest(since(c), limit(c)) });
    });
    app.get("/telemetry/traces/:trace", async (c) => {
      await staff(c);
      return c.json({ items: await store.trace(pathText(c, "trace", TRACE)) });
    });
    app.get("/telemetry/points", async (c) => {
      await staff(c);
      const name = queryText(c, "name") ?? "http.server.requests";
      return c.json({ items: await store.points(name, limit(c)) });
    });
    app.get("/telemetry/summary", async (c) => {
      await staff(c);
      return c.json({ items: await store.summaries(since(c)) });
    });
  };
  return { api: { receive }, routes };
}
