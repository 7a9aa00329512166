// W3C Trace Context (https://www.w3.org/TR/trace-context/) as far as the ingress has a part in it.

import { FIELD_INTS, ID, latin1, VALUE, VALUE_END } from "./field_block.ts";
import { TRACEPARENT } from "./fields.ts";
import { isTraceparent } from "./header_bytes.ts";
import type { RequestHead } from "./http1.ts";

/** Where a request belongs: the trace, and the span of whoever sent it. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whoever sent it records its part. */
  readonly sampled: boolean;
}

/** Length of a `traceparent` of version 00. */
export const TRACEPARENT_BYTES = 55;

/** What a request's `traceparent` says; `null` where it has none that is right. */
export function traceParentOf(bytes: Uint8Array, head: RequestHead): TraceParent | null {
  for (let base = 0, end = head.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
    if (head.fields[base + ID] !== TRACEPARENT) continue;
    if (!isTraceparent(bytes, head.fields, base)) continue;
    const text = latin1(bytes, head.fields[base + VALUE]!, head.fields[base + VALUE_END]!);
    return {
      traceId: text.slice(3, 35),
      spanId: text.slice(36, 52),
      sampled: (parseInt(text.slice(53), 16) & 1) === 1,
    };
  }
  return null;
}

/**
 * Whether a request is recorded. A peer that is trusted has decided already; of all others the
 * share `ratio` is, whatever they say: it is not for strangers to fill the collector.
 *
 * @param ratio from 0 to 1
 * @param random a random number of 32 bits
 */
export function isSampled(
  parent: TraceParent | null,
  trusted: boolean,
  ratio: number,
  random: number,
): boolean {
  if (parent !== null && trusted) return parent.sampled;
  return (random >>> 0) < ratio * 2 ** 32;
}
