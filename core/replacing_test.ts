import { assert, assertEquals } from "@std/assert";
import { parseManifest } from "./manifest/parse.ts";
import type { AppSpec } from "./manifest/spec.ts";
import { whyReplaced } from "./replacing.ts";

function spec(...lines: string[]): AppSpec {
  const parsed = parseManifest(
    `app web\n  exec /bin/web\n${lines.map((l) => `  ${l}\n`).join("")}`,
  );
  assert(parsed.ok, JSON.stringify(parsed));
  return parsed.apps[0]!;
}

const before = spec("port 8001");

for (
  const lines of [
    ["replicas 9"],
    ["route { path /x }"],
    ["rollout { order stop-first; batch 3 }"],
    ["drain 20s", "grace 9s", "stop-signal SIGINT", "restart on-failure"],
    ["needs db"],
    ["scale { min 1; max 4; cpu-above 70 }"],
    ["place { prefer disk=ssd; spread label:room }"],
    ["x-owner anna"],
  ]
) {
  Deno.test(`whyReplaced() lets a replica go on: ${lines.join(", ")}`, () => {
    assertEquals(whyReplaced(before, spec("port 8001", ...lines)), null);
    assertEquals(whyReplaced(spec("port 8001", ...lines), before), null);
  });
}

for (
  const [lines, why] of [
    [["args --fast"], "args"],
    [["env { A 1 }"], "env"],
    [["ram 64mb"], "ramBytes"],
    [["cpu 0.5"], "cpu"],
    [["user nobody"], "user"],
    [["cwd /tmp"], "cwd"],
    [["secret { TOKEN }"], "secrets"],
    [["volume { path data; env DATA }"], "volumes"],
    [["before { exec /bin/migrate }"], "before"],
    [["sandbox { user auto }"], "sandbox"],
    [["place { require room=cellar }"], "place.require"],
    [["place { avoid db }"], "place.avoid"],
  ] as const
) {
  Deno.test(`whyReplaced() wants another process for ${why}`, () => {
    assertEquals(whyReplaced(before, spec("port 8001", ...lines)), why);
    assertEquals(whyReplaced(spec("port 8001", ...lines), before), why);
  });
}

Deno.test("whyReplaced() has a health check passed by another process before all are held to it", () => {
  const health = (...lines: string[]) => spec("port 8001", `health { ${lines.join("; ")} }`);
  const asked = health("check GET /ready 200");
  assertEquals(whyReplaced(before, asked), "health.check");
  assertEquals(whyReplaced(asked, health("check GET /raedy 200")), "health.check");
  assertEquals(whyReplaced(asked, health("check TCP")), "health.check");
  const hasty = health("check GET /ready 200", "timeout 20ms");
  assertEquals(whyReplaced(asked, hasty), "health.timeoutMs");
  const patient = health("check GET /ready 200", "retries 9", "interval 1m", "start-period 9s");
  assertEquals(whyReplaced(asked, patient), null);
  assertEquals(whyReplaced(asked, before), null, "nothing is asked any more");
});

Deno.test("whyReplaced() wants another process for another port, and for one that becomes fixed", () => {
  assertEquals(whyReplaced(before, spec("port 8002")), "port");
  assertEquals(whyReplaced(before, spec("port 8001 fixed")), "port");
  assertEquals(whyReplaced(before, spec()), "port");
});

Deno.test("whyReplaced() wants another process for a key that nobody has thought of", () => {
  const after = { ...before, somethingNew: true } as AppSpec;
  assertEquals(whyReplaced(before, after), "somethingNew");
});
