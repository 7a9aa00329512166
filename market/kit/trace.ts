import { AsyncLocalStorage } from "node:async_hooks";

// Which request is being answered, so that what is asked of others on its way can be told to belong
// to it: W3C Trace Context. The ingress begins a trace; who is asked directly begins one here.

/** One request's place in its trace; ids in lower-case hex. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** The span of who asked; absent where the trace begins here. */
  readonly parentId?: string;
}

const current = new AsyncLocalStorage<Span>();
const FORM = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

/** The span of a request that came with this `traceparent`, if any. */
export function spanOf(traceparent: string | undefined): Span {
  const spanId = randomHex(8);
  const [, traceId, parentId] = FORM.exec(traceparent ?? "") ?? [];
  return traceId && parentId ? { traceId, spanId, parentId } : { traceId: randomHex(16), spanId };
}

/** Runs `work` as part of a span. */
export function within<T>(span: Span, work: () => T): T {
  return current.run(span, work);
}

/** Headers that make a request to others part of what is going on here. */
export function traceHeaders(): Record<string, string> {
  const span = current.getStore();
  return span ? { traceparent: `00-${span.traceId}-${span.spanId}-01` } : {};
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
