import { assert, assertEquals } from "@std/assert";
import { LEAD_MARGIN_MS, LEAD_MS } from "../../core/limits.ts";
import { Seat, type SeatEffect, type SeatEvent } from "./seat.ts";

/** A seat whose effects are written down: `look`, `swap`, `read`, `take 2`, `lead 7`... */
class Rig {
  readonly seat = new Seat({ boot: "a", at: "10.0.0.1:7771" });
  nowMs = 0;
  holder: string | null = null;

  step(event: SeatEvent): string[] {
    return this.seat.step(event, this.nowMs).map((effect) => this.#note(effect));
  }

  #note(effect: SeatEffect): string {
    switch (effect.do) {
      case "swap":
        this.holder = effect.holder;
        return "swap";
      case "take":
        return `take ${effect.entries.length}`;
      case "lead":
        return `lead ${effect.term} until ${effect.untilMonoMs}`;
      case "leader":
        return `leader ${effect.holder?.at ?? "none"}`;
      case "stand-by":
        return `stand-by: ${effect.why}`;
      default:
        return effect.do;
    }
  }

  /** The lease is free, and it gets it. */
  hold(): string[] {
    this.step({ on: "tick" });
    this.step({ on: "seen", lease: null });
    return this.step({ on: "swapped", revision: 7 });
  }
}

const END = { on: "read", entries: [], more: false } as const;
const UNTIL = LEAD_MS - LEAD_MARGIN_MS;

Deno.test("Seat: it leads when it has read to the end what was there when it got the lease", () => {
  const rig = new Rig();
  assertEquals(rig.hold(), ["read", "leader 10.0.0.1:7771"]);
  assertEquals(rig.seat.leads, false);
  assertEquals(rig.step({ ...END, more: true }), ["take 0", "read"]);
  assertEquals(rig.step(END), ["take 0", `lead 7 until ${UNTIL}`]);
  assertEquals([rig.seat.leads, rig.seat.leader?.at], [true, "10.0.0.1:7771"]);
  assertEquals(rig.step({ on: "grown" }), [], "it appends itself");
});

Deno.test("Seat: a reading that was under way before shows too little", () => {
  const rig = new Rig();
  assertEquals(rig.step({ on: "grown" }), ["read"]);
  assertEquals(rig.hold(), ["leader 10.0.0.1:7771"]);
  assertEquals(rig.step(END), ["take 0", "read"]);
  assertEquals(rig.seat.leads, false);
  rig.nowMs = 500;
  assertEquals(rig.step({ on: "tick" }), ["swap"]);
  assertEquals(rig.step({ on: "swapped", revision: 8 }), [], "nobody leads yet that could go on");
  assertEquals(rig.step(END), ["take 0", `lead 7 until ${500 + UNTIL}`]);
});

Deno.test("Seat: of many signs that the log has grown one reading comes, and one more", () => {
  const rig = new Rig();
  assertEquals(["grown", "grown", "grown"].flatMap(() => rig.step({ on: "grown" })), ["read"]);
  assertEquals(rig.step(END), ["take 0", "read"]);
  assertEquals(rig.step(END), ["take 0"]);
  assertEquals(rig.step({ on: "unread", why: "no answer" }), []);
  assertEquals(rig.step({ on: "grown" }), ["read"]);
});

Deno.test("Seat: who cannot read the log does not lead, and lets others go first", () => {
  const rig = new Rig();
  rig.hold();
  const said = rig.step({ on: "unread", why: "no answer" });
  assertEquals(rig.seat.leads, false);
  assert(!said.some((each) => each.startsWith("lead ")), said.join());
  // The lease is its own still; it is let lie.
  const lease = { revision: 7, holder: rig.holder };
  rig.step({ on: "seen", lease });
  assertEquals(rig.seat.leader, null);
  rig.nowMs = 1_000;
  assert(!rig.step({ on: "tick" }).includes("swap"));
});

Deno.test("Seat: when it leads no more, what it had asked for is nobody's, and it follows the log", () => {
  const rig = new Rig();
  rig.hold();
  rig.step(END);
  const { epoch } = rig.seat;
  const said = rig.step({ on: "unfit", why: "another writes the log" });
  assertEquals(said.slice(0, 2), ["stand-by: another writes the log", "read"]);
  assertEquals([rig.seat.leads, rig.seat.epoch], [false, epoch + 1]);
  rig.step(END);
  assertEquals(rig.step({ on: "grown" }), ["read"]);
});

Deno.test("Seat: it ends with its lease given back, and does nothing any more", () => {
  const rig = new Rig();
  rig.hold();
  rig.step(END);
  assertEquals(rig.step({ on: "stop" }).filter((each) => each !== "leader none"), [
    "stand-by: this conductor ends",
    "read",
    "swap",
  ]);
  assertEquals(rig.holder, null);
  assertEquals(rig.step({ on: "swapped", revision: 8 }), ["stopped"]);
  assertEquals(rig.step(END), []);
  assertEquals(rig.seat.wakeMonoMs(), Infinity);
});
