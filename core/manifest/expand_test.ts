import { assert, assertEquals } from "@std/assert";
import { expand } from "./expand.ts";
import { parseManifest } from "./parse.ts";
import { substitute, VARIABLES, variablesIn } from "./variables.ts";

function app(text: string) {
  const parsed = parseManifest(text);
  assert(parsed.ok);
  return parsed.apps[0]!;
}

const VALUES = {
  PORT: "20001",
  REPLICA: "3",
  APP: "shop",
  NODE: "node-2",
  IP: "10.0.0.12",
  ARTIFACT: "/var/cache/ab",
};

Deno.test("expand() puts a replica's own values into program, arguments, folder and environment", () => {
  const spec = app(`app shop
  exec \${ARTIFACT}/bin/shop
  artifact { from dist }
  port 8001
  cwd  \${ARTIFACT}
  args --listen \${IP}:\${PORT} '--name=\${APP}-\${REPLICA}' "\${NODE}" $$PORT $PATH a$
  env {
    URL    http://\${IP}:\${PORT}/$$\${PORT}
    SHELL  $\${HOME}
    EMPTY  ""
  }
`);
  assertEquals(expand(spec, VALUES), {
    exec: "/var/cache/ab/bin/shop",
    args: ["--listen", "10.0.0.12:20001", "--name=shop-3", "node-2", "$PORT", "$PATH", "a$"],
    cwd: "/var/cache/ab",
    env: { URL: "http://10.0.0.12:20001/$20001", SHELL: "${HOME}", EMPTY: "" },
  });
});

Deno.test("expand() takes a literal equal to the port in env PORT for ${PORT}", () => {
  const text = "app a\n  exec /a\n  port 8001\n  args 8001\n  env { PORT 8001; OTHER 8001 }\n";
  assertEquals(expand(app(text), VALUES), {
    exec: "/a",
    args: ["8001"],
    env: { PORT: "20001", OTHER: "8001" },
  });
});

Deno.test("expand() leaves another literal in env PORT alone", () => {
  const other = app("app a\n  exec /a\n  port 8001\n  env { PORT 9000 }\n");
  assertEquals(expand(other, VALUES).env, { PORT: "9000" });
  const none = app("app a\n  exec /a\n  env { PORT 8001 }\n");
  assertEquals(expand(none, VALUES).env, { PORT: "8001" });
});

Deno.test("expand() knows \\$ in arguments as a plain dollar", () => {
  const spec = app('app a\n  exec /a\n  port 1\n  args \\${PORT} "\\${PORT}" ${PORT}\n');
  assertEquals(expand(spec, VALUES).args, ["${PORT}", "${PORT}", "20001"]);
});

Deno.test("expand() does not expand what a value brought in", () => {
  const spec = app("app a\n  exec /a\n  args ${NODE}\n");
  assertEquals(expand(spec, { NODE: "${APP}$$", APP: "x" }).args, ["${APP}$$"]);
});

Deno.test("substitute() leaves a variable without a value as it is written", () => {
  assertEquals(substitute("${PORT} ${toString} ${ $$", {}), "${PORT} ${toString} ${ $");
});

Deno.test("variablesIn() finds the names", () => {
  assertEquals([...variablesIn("a${PORT}$${IP}${APP}${PORT}${")], ["PORT", "APP"]);
  const all = Object.keys(VARIABLES).map((name) => `\${${name}}`).join("");
  assertEquals([...variablesIn(all)], Object.keys(VARIABLES));
});
