// An OpenTelemetry collector that keeps the spans that it is sent.

/** A span as OTLP has it in JSON. */
export interface ExportedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  /** 2: a server's. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  /** 1: all is well, 2: an error. */
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly events?: readonly { readonly name: string }[];
  readonly attributes: readonly {
    readonly key: string;
    readonly value: Readonly<Record<string, unknown>>;
  }[];
}

/** A collector at an address of this machine. */
export interface Collector extends AsyncDisposable {
  readonly spans: readonly ExportedSpan[];
  /** What makes Deno export to it, as environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts one. */
export function collector(hostname: string): Collector {
  const spans: ExportedSpan[] = [];
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, async (request) => {
    const body = await request.json();
    if (new URL(request.url).pathname === "/v1/traces") {
      for (const resource of body.resourceSpans) {
        for (const scope of resource.scopeSpans) spans.push(...scope.spans);
      }
    }
    return Response.json({});
  });
  return {
    spans,
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${hostname}:${server.addr.port}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** An attribute's value, as text. */
export function attribute(span: ExportedSpan, key: string): string | undefined {
  const value = span.attributes.find((each) => each.key === key)?.value;
  return value && String(Object.values(value)[0]);
}
