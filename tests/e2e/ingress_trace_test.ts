// Requests as spans: an ingress and a replica, both with Deno's OpenTelemetry, and a collector that
// takes what they export.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { kill, until, within } from "./cluster_process.ts";
import { attribute, collector, type ExportedSpan } from "./collector.ts";
import { ROOT } from "./documents.ts";

const HOST = "127.0.0.28";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

/** A program that is started, and ended with its test. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #said: Promise<string>;
  readonly port: Promise<number>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const found = Promise.withResolvers<number>();
    this.port = within(20_000, "a port", found.promise);
    this.#said = (async () => {
      let text = "";
      for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
        text += part;
        const port = /http:\/\/127\.0\.0\.28:(\d+)/.exec(text)?.[1];
        if (port !== undefined) found.resolve(Number(port));
      }
      return text;
    })();
  }

  /** Ends it; what it wrote to standard error. */
  async end(): Promise<string> {
    kill(this.#child.pid, "SIGTERM");
    await this.#child.status;
    return await this.#said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

const REPLICA = `
Deno.serve({ hostname: "${HOST}", port: 0, onListen: ({ port }) => console.error("http://${HOST}:" + port) },
  (request) => new Response(request.headers.get("traceparent")));
`;

/** A replica behind an ingress; `/api` leads to it, `/gone` to an app that nobody serves. */
async function stage(flags: readonly string[], env: Readonly<Record<string, string>>) {
  const file = await Deno.makeTempFile({ prefix: "skr8tr-traced-", suffix: ".ts" });
  await Deno.writeTextFile(file, REPLICA);
  const replica = new Program([file], env);
  const port = await replica.port;
  const ingress = new Program([
    "ingress/main.ts",
    ...[`--bind=${HOST}`, "--http=0", "--admin=0", "--tower=none"],
    ...["--route=/api:shop", `--upstream=shop=${HOST}:${port}`, "--route=/gone:gone"],
    ...flags,
  ], env);
  const url = `http://${HOST}:${await ingress.port}`;
  return {
    ingress,
    ask: (path: string, traceparent?: string) =>
      fetch(url + path, { headers: traceparent === undefined ? {} : { traceparent } }),
    async [Symbol.asyncDispose]() {
      await Promise.all([ingress.end(), replica.end()]);
      await Deno.remove(file);
    },
  };
}

Deno.test("a request is one trace from the ingress to the replica", async () => {
  await using telemetry = collector(HOST);
  await using place = await stage(["--trace=1"], telemetry.env);
  const told = await (await place.ask("/api/products?page=1")).text();
  assertMatch(told, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const [, traceId, spanId] = told.split("-");
  const of = (trace: string) => telemetry.spans.filter((span) => span.traceId === trace);
  await until(20_000, "both spans", () => of(traceId!).length >= 2);
  const spans = of(traceId!);
  const own = spans.find((span) => span.spanId === spanId)!;
  assertEquals([own.name, own.kind, own.parentSpanId ?? ""], ["GET /api", 2, ""]);
  const attributes = [
    "http.request.method",
    ...["http.route", "url.path", "http.response.status_code", "skr8tr.app", "skr8tr.attempts"],
  ].map((key) => attribute(own, key));
  assertEquals(attributes, ["GET", "/api", "/api/products", "200", "shop", "1"]);
  const below = spans.find((span) => span.parentSpanId === spanId)!;
  assertEquals(below.kind, 2); // the replica's own, by Deno
  assert(lasts(own) >= lasts(below), `${lasts(own)} ns and ${lasts(below)} ns`);

  // A trace that the client began goes on.
  const later = await (await place.ask("/api", `00-${TRACE}-${SPAN}-00`)).text();
  assertStringIncludes(later, `00-${TRACE}-`);
  await until(20_000, "the client's trace", () => of(TRACE).length >= 2);
  const continued = of(TRACE).find((span) => span.name === "GET /api")!;
  assertEquals(continued.parentSpanId, SPAN);

  const refused = await place.ask("/gone");
  assertEquals(refused.status, 503);
  await refused.body?.cancel();
  await until(20_000, "the failure", () => telemetry.spans.some(isFailure));
  assertEquals(attribute(telemetry.spans.find(isFailure)!, "http.response.status_code"), "503");
});

Deno.test("a request that is not sampled is recorded nowhere, and replicas are told", async () => {
  await using telemetry = collector(HOST);
  await using place = await stage(["--trace=0", "--trust=127.0.0.0/8"], telemetry.env);
  const told = await (await place.ask("/api")).text();
  assertMatch(told, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  // A trusted peer has decided already: it may have a say. Its span comes after, if any came.
  await (await place.ask("/api", `00-${TRACE}-${SPAN}-01`)).text();
  const ofIngress = () => telemetry.spans.filter((span) => span.name === "GET /api");
  await until(20_000, "the span of the trusted peer", () => ofIngress().length > 0);
  assertEquals(ofIngress().map((span) => [span.traceId, span.parentSpanId]), [[TRACE, SPAN]]);
});

Deno.test("--trace without OpenTelemetry is told, and does nothing", async () => {
  await using place = await stage(["--trace=1"], {});
  const told = await (await place.ask("/api")).text();
  assertMatch(told, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assertStringIncludes(await place.ingress.end(), "records nothing: OTEL_DENO=true is not set");
});

const isFailure = (span: ExportedSpan) => span.name === "GET /gone" && span.status?.code === 2;

function lasts(span: ExportedSpan): bigint {
  return BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
}
