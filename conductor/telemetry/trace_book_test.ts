import { assert, assertEquals } from "@std/assert";
import { SPANS_KEPT, TRACE_SLOWEST, TRACE_SPANS } from "../../core/limits.ts";
import type { SpanView } from "../../core/trace_view.ts";
import { TraceBook } from "./trace_book.ts";

const all = () => true;

function span(trace: number | string, span: string, rest: Partial<SpanView> = {}): SpanView {
  return {
    ...{ trace: String(trace), span, app: "web", replica: "web.1", node: "node-1", name: "GET /" },
    ...{ startWallMs: 1_000, ms: 10, failed: false },
    ...rest,
  };
}

Deno.test("TraceBook tells the slowest traces by their beginning", () => {
  const book = new TraceBook();
  book.add(span(1, "b", { parent: "a", app: "cart", ms: 4, failed: true }));
  book.add(span(1, "a", { ms: 30, name: "POST /buy" }));
  book.add(span(2, "a", { ms: 50, startWallMs: 9_000 }));
  assertEquals(book.add(span(2, "a", { ms: 99 })), false, "told twice");
  assert(book.add(span(2, "a", { app: "liar" })), "nobody keeps another's span out");
  const ask = (more: object) => book.slowest({ limit: 10, shows: all, ...more });
  assertEquals(ask({}).map(({ trace }) => trace), ["2", "1"]);
  assertEquals(ask({ app: "cart" }), [{
    ...{ trace: "1", app: "web", name: "POST /buy", startWallMs: 1_000, ms: 30 },
    ...{ spans: 2, failed: 1, apps: ["web", "cart"] },
  }]);
  assertEquals(ask({ failed: true }).map(({ trace }) => trace), ["1"]);
  assertEquals(ask({ sinceWallMs: 5_000 }).map(({ trace }) => trace), ["2"]);
  assertEquals(ask({ limit: 1 }).map(({ trace }) => trace), ["2"]);
});

Deno.test("TraceBook shows of a trace the apps that may be seen, and as if there were no others", () => {
  const book = new TraceBook();
  book.add(span(1, "a", { app: "web", ms: 90 }));
  book.add(span(1, "b", { app: "bank", parent: "a", ms: 5, failed: true }));
  book.add(span(1, "c", { app: "web", parent: "b", ms: 3 }));
  book.add(span(2, "a", { app: "bank", ms: 99 }));
  book.add(span(3, "a", { app: "web", ms: 50 }));
  const shows = (app: string) => app === "bank";
  assertEquals(book.trace("1", shows).map((each) => `${each.span}${each.depth}`), ["b0"]);
  assertEquals(book.trace("3", shows), []);
  const found = book.slowest({ limit: 9, shows });
  assertEquals(found.map(({ trace, ms, apps }) => ({ trace, ms, apps })), [
    { trace: "2", ms: 99, apps: ["bank"] },
    { trace: "1", ms: 5, apps: ["bank"] },
  ]);
  assertEquals(book.slowest({ limit: 9, shows, app: "web" }), []);
});

Deno.test("TraceBook.slowest() stops early and still finds the slowest", () => {
  const book = new TraceBook();
  // The longest span of the first is hidden: what is shown of it is fast.
  book.add(span(1, "a", { app: "bank", ms: 500 }));
  book.add(span(1, "b", { parent: "a", ms: 1 }));
  for (let at = 2; at < 50; at++) book.add(span(at, "a", { ms: at * 2 }));
  const shows = (app: string) => app === "web";
  assertEquals(book.slowest({ limit: 3, shows }).map(({ ms }) => ms), [98, 96, 94]);
});

Deno.test("TraceBook keeps a bounded number of spans: the newest, and each minute's slowest", () => {
  const book = new TraceBook();
  const slowOf = (minute: number) => `slow-${minute}`;
  for (let at = 0, minute = 0; at < 3 * SPANS_KEPT; at++) {
    if (at % 5_000 === 0) {
      minute++;
      for (const end of "abc") {
        book.add(span(slowOf(minute) + end, end, { ms: 900, startWallMs: minute * 60_000 }));
      }
    }
    book.add(span(`fast-${at}`, "a", { ms: at % 7, startWallMs: minute * 60_000 + 1 }));
    assert(book.spans <= SPANS_KEPT);
  }
  assert(book.spans > SPANS_KEPT * 0.8);
  assertEquals(book.trace("fast-0", all), []);
  assertEquals(book.trace(`fast-${3 * SPANS_KEPT - 1}`, all).length, 1);
  const slow = book.slowest({ limit: 1_000, shows: all }).filter(({ ms }) => ms === 900);
  assertEquals(slow.length, 3 * 3 * SPANS_KEPT / 5_000, "those of each minute");
});

Deno.test("TraceBook lets slow traces be no more than half of what is kept", () => {
  const book = new TraceBook();
  for (let trace = 0; trace < 100 * TRACE_SLOWEST; trace++) {
    const startWallMs = Math.floor(trace / TRACE_SLOWEST) * 60_000;
    for (let at = 0; at < 50; at++) book.add(span(trace, `s${at}`, { startWallMs }));
    assert(book.spans <= SPANS_KEPT);
  }
  assertEquals(book.trace(String(100 * TRACE_SLOWEST - 1), all).length, 50);
});

Deno.test("TraceBook keeps a bounded number of spans of one trace", () => {
  const book = new TraceBook();
  const taken = Array.from({ length: TRACE_SPANS + 5 }, (_, at) => book.add(span(1, `s${at}`)));
  assertEquals(taken.filter(Boolean).length, TRACE_SPANS);
  assertEquals(book.trace("1", all).length, TRACE_SPANS);
});
