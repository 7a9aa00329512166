// Requests as spans, exported by Deno's own OpenTelemetry (OTEL_DENO=true). Loaded only with --trace.

import {
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { logger } from "../../core/live/log.ts";
import { ascii, latin1 } from "../field_block.ts";
import type { RequestHead } from "../http1.ts";
import { isSampled, traceParentOf } from "../trace.ts";
import type { Admission, Peer } from "./admission.ts";
import type { Exchange } from "./exchange.ts";

/** A request that is recorded. */
export interface RequestSpan {
  /** What its replica is told: the replica's own spans come below this one. */
  readonly traceparent: Uint8Array;
  /** Its response has left, or has failed. */
  end(exchange: Exchange, bytesOut: number): void;
}

/** Decides which requests are recorded, and records them. */
export class RequestTracer {
  private constructor(
    private readonly tracer: Tracer,
    private readonly ratio: number,
    private readonly random: () => number,
  ) {}

  /**
   * @param ratio the share of requests that is recorded, from 0 to 1
   * @param random random numbers of 32 bits
   * @returns `null` where the process does not export: then it costs nothing.
   */
  static open(ratio: number, random: () => number): RequestTracer | null {
    const tracer = trace.getTracer("skr8tr.ingress");
    const probe = tracer.startSpan("start");
    const exports = isSpanContextValid(probe.spanContext());
    // Never ended, and so never told.
    if (exports) return new RequestTracer(tracer, ratio, random);
    logger("ingress").warn("--trace records nothing: OTEL_DENO=true is not set");
    return null;
  }

  /** Begins to record a request; `null` if it is none of those that are. */
  begin(
    bytes: Uint8Array,
    head: RequestHead,
    admission: Admission,
    peer: Peer,
  ): RequestSpan | null {
    const parent = traceParentOf(bytes, head);
    if (!isSampled(parent, peer.trusted, this.ratio, this.random())) return null;
    const { route } = admission.match.destination;
    const method = latin1(bytes, head.start, head.methodEnd);
    const above = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, {
      traceId: parent.traceId,
      spanId: parent.spanId,
      traceFlags: TraceFlags.SAMPLED,
      isRemote: true,
    });
    const span = this.tracer.startSpan(`${method} ${route.path}`, {
      kind: SpanKind.SERVER,
      // https://opentelemetry.io/docs/specs/semconv/http/http-spans/
      attributes: {
        "http.request.method": method,
        "http.route": route.path,
        "url.scheme": peer.secure ? "https" : "http",
        "url.path": latin1(bytes, head.pathStart, head.pathEnd),
        "server.address": head.hostStart < 0 ? "" : latin1(bytes, head.hostStart, head.hostEnd),
        "client.address": admission.client,
        "network.protocol.version": peer.http2 ? "2" : `1.${head.minor}`,
        "skr8tr.app": route.app,
      },
    }, above);
    const { traceId, spanId } = span.spanContext();
    return {
      traceparent: ascii(`00-${traceId}-${spanId}-01`),
      end: (exchange, bytesOut) => endSpan(span, exchange, bytesOut),
    };
  }
}

function endSpan(span: Span, exchange: Exchange, bytesOut: number): void {
  const { status, attempts, stat } = exchange;
  span.setAttributes({
    "http.response.status_code": status,
    "http.response.size": bytesOut,
    "skr8tr.attempts": attempts,
    ...(attempts > 0 ? { "skr8tr.replica": stat!.replica } : {}),
  });
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
