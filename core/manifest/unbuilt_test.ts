import { assert, assertEquals } from "@std/assert";
import { parseManifest } from "./parse.ts";
import { block, many, one, value } from "./schema.ts";
import { int } from "./kinds.ts";
import { unbuiltIn, unbuiltKeys } from "./unbuilt.ts";

function unbuilt(text: string): readonly string[] {
  const parsed = parseManifest(text);
  assert(parsed.ok);
  return unbuiltKeys(parsed.apps[0]!);
}

const INNER = block<{ a?: number; b: number }>({
  a: value("a", int(0, 9), "", { built: false }),
  b: value("b", int(0, 9), "", { default: 1, built: (number: number) => number < 5 }),
});

const OUTER = block<
  { x?: { a?: number; b: number }; y: { a?: number; b: number }[]; z?: { b: number } }
>({
  x: one("x", INNER, ""),
  y: many("y", INNER, ""),
  z: one("z", INNER, "", { built: false }),
});

Deno.test("unbuiltKeys() names each key, and each value, that has no behaviour", () => {
  assertEquals(unbuiltIn(OUTER, { y: [] }), []);
  assertEquals(unbuiltIn(OUTER, { x: { b: 1 }, y: [{ b: 4 }] }), []);
  assertEquals(
    unbuiltIn(OUTER, { x: { a: 1, b: 7 }, y: [{ a: 1, b: 1 }, { a: 2, b: 1 }], z: { b: 1 } }),
    ["x.a", "x.b 7", "y.a", "z"],
  );
});

Deno.test("unbuiltKeys() is silent about a plain service", () => {
  assertEquals(
    unbuilt(`app a
  exec /a
  args x
  port 80 fixed
  replicas 2
  ram 1mb
  cpu 1
  gpu yes
  restart never
  drain 1s
  grace 1s
  cwd /
  stop-signal SIGINT
  env { A 1 }
  volume { path x; env X }
  health { check TCP; interval 1s; timeout 1s; retries 1; start-period 1s }
  rollout { order stop-first; batch 2; settle 1s }
  user nobody
  needs b
  route { host h; path /p; strip yes; rate 1/s; burst 2; per header:X; sticky cookie; timeout 1s }
  route { path /q; retries 1; weight 2; tls required }
  place { require a=b; prefer a=b; spread label:a; avoid b }
  x-other 1
`),
    [],
  );
});
