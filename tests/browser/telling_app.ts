// An app that tells of itself by OpenTelemetry alone, as the runtime exports it: a gauge, a counter,
// what the runtime measures, and spans. Nothing of it stands in its log.

import { metrics, trace } from "@opentelemetry/api";

const meter = metrics.getMeter("telling");
meter.createObservableGauge("guests", { unit: "{guest}" }).addCallback((told) => told.observe(7));
const greetings = meter.createCounter("greetings", { unit: "{greeting}" });
const next = Deno.env.get("NEXT");

Deno.serve({
  hostname: Deno.env.get("HOST")!,
  port: Number(Deno.env.get("PORT")),
  onListen: () => {},
}, async (request) => {
  const { pathname } = new URL(request.url);
  trace.getActiveSpan()?.updateName(`${request.method} ${pathname}`);
  if (pathname === "/health") return new Response("ok");
  greetings.add(1);
  if (next) await (await fetch(next)).body?.cancel();
  return new Response("hello\n");
});
