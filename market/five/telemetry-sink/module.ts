import type { Context } from "hono";
import { TelemetryStore } from "../../../conductor/live/telemetry_store.ts";
import { SINK_LOG_BYTES, SINK_SHOWN, SINK_SUMMARY_MS } from "../../kit/limits.ts";
import type { Identity, Module } from "../../kit/modules.ts";
import { insideOnly, pathText, queryInteger, queryText, readBody } from "../../kit/request.ts";
import { createSessionReader, staffOnly } from "../../kit/session.ts";
import { linesOf, pointsOf, spansOf } from "./otlp.ts";
import { openSpanStore } from "./store.ts";

const anything = (value: unknown) => value;
const TRACE = /^[0-9a-f]{32}$/;

/**
 * Logs, traces and values of the market's programs, by OTLP over HTTP in JSON; kept bounded in
 * `folder`, shown to staff. What it makes of them it also logs, so that the deck shows it.
 */
export function createSink(
  folder: string,
  { identity, now }: { readonly identity: Identity; now(): number },
): Module<{ readonly receive: Module<unknown>["routes"] }> {
  Deno.mkdirSync(folder, { recursive: true });
  const logs = new TelemetryStore(`${folder}/logs.db`, SINK_LOG_BYTES);
  const spans = openSpanStore(`${folder}/spans.db`);
  const staff = staffOnly(createSessionReader(identity, now));
  const since = (c: Context) => now() - (queryInteger(c, "seconds", 1, 86_400) ?? 3_600) * 1_000;
  const limit = (c: Context) => queryInteger(c, "limit", 1, SINK_SHOWN) ?? 100;
  const receive: Module<unknown>["routes"] = ({ app, note, onClose }) => {
    const summing = setInterval(() => {
      for (const each of spans.summaries(now() - SINK_SUMMARY_MS)) note("summary", { ...each });
    }, SINK_SUMMARY_MS);
    onClose(() => {
      clearInterval(summing);
      logs.close();
      spans.close();
    });
    app.post("/v1/logs", async (c) => {
      insideOnly(c);
      logs.add(linesOf(await readBody(c, anything), now()));
      return c.json({});
    });
    app.post("/v1/traces", async (c) => {
      insideOnly(c);
      spans.addSpans(spansOf(await readBody(c, anything), now()));
      return c.json({});
    });
    app.post("/v1/metrics", async (c) => {
      insideOnly(c);
      spans.addPoints(pointsOf(await readBody(c, anything), now()));
      return c.json({});
    });
  };
  const routes: Module<unknown>["routes"] = ({ app }) => {
    app.get("/telemetry/logs", async (c) => {
      await staff(c);
      const search = { app: queryText(c, "app"), grep: queryText(c, "grep"), limit: limit(c) };
      return c.json({ items: await logs.search({ ...search, sinceWallMs: since(c) }) });
    });
    app.get("/telemetry/traces", async (c) => {
      await staff(c);
      return c.json({ items: spans.slowest(since(c), limit(c)) });
    });
    app.get("/telemetry/traces/:trace", async (c) => {
      await staff(c);
      return c.json({ items: spans.trace(pathText(c, "trace", TRACE)) });
    });
    app.get("/telemetry/points", async (c) => {
      await staff(c);
      const name = queryText(c, "name") ?? "http.server.requests";
      return c.json({ items: spans.points(name, limit(c)) });
    });
    app.get("/telemetry/summary", async (c) => {
      await staff(c);
      return c.json({ items: spans.summaries(since(c)) });
    });
  };
  return { api: { receive }, routes };
}
