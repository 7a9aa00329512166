import { assert, assertEquals } from "@std/assert";
import { ascii, DONE } from "./field_block.ts";
import { RequestHead } from "./http1.ts";
import { isSampled, traceParentOf } from "./trace.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

function parentOf(...fields: readonly string[]) {
  const bytes = ascii(["GET / HTTP/1.1", "Host: a", ...fields, "", ""].join("\r\n"));
  const head = new RequestHead();
  head.restart(0);
  assertEquals(head.parse(bytes, bytes.length), DONE);
  return traceParentOf(bytes, head);
}

Deno.test("traceParentOf() reads the first traceparent that is right", () => {
  assertEquals(parentOf(), null);
  assertEquals(parentOf(`traceparent: 00-${"0".repeat(32)}-${SPAN}-01`), null);
  const sampled = { traceId: TRACE, spanId: SPAN, sampled: true };
  assertEquals(parentOf(`Traceparent: 00-${TRACE}-${SPAN}-01`), sampled);
  assertEquals(parentOf("traceparent: none", `traceparent: 00-${TRACE}-${SPAN}-03`), sampled);
  assertEquals(parentOf(`traceparent: 00-${TRACE}-${SPAN}-02`)?.sampled, false);
});

Deno.test("isSampled() takes the share that is wanted, and the word of trusted peers only", () => {
  const yes = { traceId: TRACE, spanId: SPAN, sampled: true };
  const no = { ...yes, sampled: false };
  assert(isSampled(yes, true, 0, 0xffff_ffff));
  assert(!isSampled(no, true, 1, 0));
  assert(!isSampled(yes, false, 0, 0));
  assert(isSampled(no, false, 1, 0xffff_ffff));
  // Numbers of 32 bits, whether they come signed or not.
  assert(isSampled(null, true, 1, -1));
  assert(!isSampled(null, true, 0.5, -1));
  const steps = 10_000;
  let taken = 0;
  for (let step = 0; step < steps; step++) {
    if (isSampled(null, false, 0.25, Math.floor(step * (2 ** 32 / steps)))) taken++;
  }
  assertEquals(taken, steps / 4);
});
