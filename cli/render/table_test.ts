import { assert, assertEquals } from "@std/assert";
import { textWidth } from "./width.ts";
import fc from "fast-check";
import { paint } from "../output.ts";
import { type Column, cutTo, table } from "./table.ts";

interface Row {
  readonly name: string;
  readonly count: number;
  readonly why: string;
}

const columns: Column<Row>[] = [
  { title: "NAME", cell: (row) => row.name, least: 4 },
  { title: "COUNT", cell: (row) => String(row.count), right: true },
  { title: "WHY", cell: (row) => row.why, least: 6, color: (_, paint) => paint.bad },
];

const rows: Row[] = [
  { name: "product-svc", count: 2, why: "" },
  { name: "a", count: 1_000, why: "GET /health answered 500" },
];

Deno.test("table() aligns its columns", () => {
  assertEquals(table(rows, columns, paint(false), Infinity), [
    "NAME         COUNT  WHY",
    "product-svc      2",
    "a             1000  GET /health answered 500",
  ]);
});

Deno.test("table() cuts the widest columns first to fit the width", () => {
  assertEquals(table(rows, columns, paint(false), 30), [
    "NAME         COUNT  WHY",
    "product-svc      2",
    "a             1000  GET /heal…",
  ]);
  assertEquals(table(rows, columns, paint(false), 20), [
    "NAME   COUNT  WHY",
    "prod…      2",
    "a       1000  GET /…",
  ]);
});

Deno.test("table() leaves spare columns out before it cuts names, but not for a long last one", () => {
  const more: Column<Row>[] = [
    { ...columns[0]!, least: 4 },
    { title: "PID", cell: () => "12345", spare: 2 },
    { title: "GEN", cell: () => "7", spare: 1 },
    columns[1]!,
    columns[2]!,
  ];
  const heads = [80, 54, 47].map((width) => table(rows, more, paint(false), width)[0]);
  assertEquals(heads, [
    "NAME         PID    GEN  COUNT  WHY",
    "NAME         PID    COUNT  WHY",
    "NAME         COUNT  WHY",
  ]);
  const long = [{ name: "product-svc", count: 2, why: "x".repeat(200) }];
  assertEquals(table(long, more, paint(false), 58), [
    "NAME         PID    GEN  COUNT  WHY",
    `product-svc  12345  7        2  ${"x".repeat(25)}…`,
  ]);
});

Deno.test("table() colours cells only where colours are on", () => {
  assert(!table(rows, columns, paint(false), 80).join("").includes("\x1b"));
  assert(table(rows, columns, paint(true), 80)[2]!.includes("\x1b[31mGET /health"));
});

Deno.test("table() never exceeds the width, whatever the cells, and passes no controls on", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({ name: fc.string({ unit: "grapheme" }), count: fc.nat(), why: fc.string() }),
      { maxLength: 5 },
    ),
    fc.integer({ min: 1, max: 60 }),
    (rows, width) => {
      for (const line of table(rows, columns, paint(false), width)) {
        assert(textWidth(line) <= width, JSON.stringify(line));
        // deno-lint-ignore no-control-regex
        assert(!/[\x00-\x08\x0b-\x1f\x7f]/.test(line), JSON.stringify(line));
      }
    },
  ));
});

Deno.test("cutTo() marks the cut and counts wide characters twice", () => {
  assertEquals(cutTo("abcdef", 6), "abcdef");
  assertEquals(cutTo("abcdef", 4), "abc…");
  assertEquals(cutTo("日本語", 4), "日…");
});
