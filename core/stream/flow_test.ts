import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { STREAM_WINDOW_BYTES } from "../limits.ts";
import { Inflow, Outflow } from "./flow.ts";

Deno.test("Outflow and Inflow: all that is sent arrives, and never more than a window is held", () => {
  const turns = fc.array(
    fc.record({ wanted: fc.nat(100_000), read: fc.nat(100_000) }),
    { maxLength: 200 },
  );
  fc.assert(fc.property(turns, (each) => {
    const [outflow, inflow] = [new Outflow(), new Inflow()];
    let held = 0;
    for (const { wanted, read } of each) {
      const sent = outflow.take(wanted);
      held += sent;
      assert(inflow.receive(sent), "the sender keeps to its credit");
      assert(held <= STREAM_WINDOW_BYTES);
      const taken = Math.min(held, read);
      held -= taken;
      outflow.grant(inflow.read(taken));
    }
    // Whoever reads everything lets the other go on.
    outflow.grant(inflow.read(held));
    assert(outflow.take(1) === 1);
  }));
});

Deno.test("Inflow.receive() notices a sender without credit", () => {
  const inflow = new Inflow();
  assert(inflow.receive(STREAM_WINDOW_BYTES));
  assert(!inflow.receive(1));
});

Deno.test("Outflow.grant() opens no more than one window", () => {
  const outflow = new Outflow();
  outflow.grant(2 ** 32 - 1);
  assertEquals(outflow.take(2 ** 33), STREAM_WINDOW_BYTES);
});
