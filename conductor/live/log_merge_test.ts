import { assert, assertEquals } from "@std/assert";
import { LastLines, LineSource, mergePast, PAST_OVER } from "./log_merge.ts";

interface Line {
  readonly wallMs: number;
  readonly line: string;
}

type Item = number | typeof PAST_OVER;

/** A writer of these times; it says how many it was asked for. */
function writer(name: string, items: readonly Item[], ends = true) {
  const asked = { count: 0 };
  async function* lines() {
    for (const item of items) {
      asked.count++;
      yield item === PAST_OVER ? item : { wallMs: item, line: `${name}${item}` };
    }
    if (!ends) await new Promise(() => {});
  }
  return { asked, source: new LineSource<Line>(lines()) };
}

async function merged(sources: readonly LineSource<Line>[], silenceMs = 60_000) {
  const told: string[] = [];
  await mergePast(sources, silenceMs, ({ line }) => told.push(line));
  return told;
}

Deno.test("mergePast() tells all pasts in the order of their times, and leaves what comes", async () => {
  const a = writer("a", [1, 4, 4, 9, PAST_OVER, 2]);
  const b = writer("b", [4, 5, PAST_OVER, 6]);
  const c = writer("c", [PAST_OVER]);
  assertEquals(
    await merged([a.source, b.source, c.source]),
    ["a1", "a4", "a4", "b4", "b5", "a9"],
  );
  const rest: string[] = [];
  await a.source.rest(({ line }) => rest.push(line));
  assertEquals(rest, ["a2"]);
  assertEquals(b.asked.count, 3, "nothing of what comes is read before it is taken");
});

Deno.test("mergePast() holds one line of each in memory", async () => {
  const many = Array.from({ length: 1_000 }, (_, at) => at);
  const writers = [writer("a", many), writer("b", many)];
  let told = 0;
  await mergePast(writers.map(({ source }) => source), 60_000, () => {
    told++;
    for (const { asked } of writers) {
      assert(asked.count <= told / 2 + 2, `${asked.count} at ${told}`);
    }
  });
  assertEquals(told, 2_000);
});

Deno.test("mergePast() orders random pasts as sorting them would", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  let state = seed;
  const next = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  const pasts = Array.from(
    { length: 20 },
    () => Array.from({ length: next(50) }, () => next(200)).sort((a, b) => a - b),
  );
  const told: number[] = [];
  await mergePast(
    pasts.map((past) => writer("", past).source),
    60_000,
    ({ wallMs }) => told.push(wallMs),
  );
  assertEquals(told, pasts.flat().sort((a, b) => a - b), `seed ${seed}`);
});

Deno.test("a writer that says nothing is passed over, and heard when it speaks", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* late() {
    await promise;
    yield { wallMs: 1, line: "late" };
  }
  const silent = new LineSource<Line>(late());
  assertEquals(await merged([silent, writer("a", [5, 6]).source], 20), ["a5", "a6"]);
  resolve();
  const rest: string[] = [];
  await silent.rest(({ line }) => rest.push(line));
  assertEquals(rest, ["late"]);
});

Deno.test("a writer that does not say where its past ends has one of so many lines", async () => {
  async function* endless() {
    for (let at = 0;; at++) yield { wallMs: at, line: `${at}` };
  }
  assertEquals(await merged([new LineSource<Line>(endless(), 3)]), ["0", "1", "2"]);
});

Deno.test("LastLines keeps so many lines and characters, the last ones", () => {
  const line = (text: string) => ({ line: text });
  const few = new LastLines(2, 1_000);
  ["a", "b", "c"].forEach((each) => few.add(line(each)));
  assertEquals(few.take(), [line("b"), line("c")]);
  const short = new LastLines(100, 10);
  ["12345", "1234567", "890"].forEach((each) => short.add(line(each)));
  assertEquals(short.take(), [line("1234567"), line("890")]);
  short.add(line("longer than it all"));
  assertEquals(short.take(), []);
  const many = new LastLines<{ line: string; at: number }>(10, 1e9);
  for (let at = 0; at < 10_000; at++) many.add({ line: "x", at });
  assertEquals(many.take().map(({ at }) => at), Array.from({ length: 10 }, (_, at) => 9_990 + at));
});
