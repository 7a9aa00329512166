import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { type ClaimedPorts, claimPorts } from "./ports.ts";

Deno.test("claimPorts() gives no two clusters the same ports, and has an end", () => {
  const claimed: ClaimedPorts[] = [];
  const error = assertThrows(() => {
    for (;;) claimed.push(claimPorts(3));
  }, Failure) as Failure;
  try {
    assertEquals(error.code, "no-port");
    const of = (port: (each: ClaimedPorts) => unknown) => new Set(claimed.map(port)).size;
    assertEquals(of(({ ports }) => ports.conductor), claimed.length);
    assertEquals(of(({ addresses }) => addresses[0]), claimed.length);
    const ranges = claimed.map(({ replicaPorts }) => replicaPorts)
      .toSorted((a, b) => a.first - b.first);
    ranges.reduce((before, next) => {
      assertEquals(before.last < next.first, true, `${before.last} and ${next.first}`);
      return next;
    });
  } finally {
    for (const each of claimed) each[Symbol.dispose]();
  }
  claimPorts(3)[Symbol.dispose]();
});
