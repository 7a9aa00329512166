// Structure: what belongs to what, in braces, by indentation, on one line, with comments.

import { assert, assertEquals } from "@std/assert";
import { MANIFEST_DEPTH } from "../limits.ts";
import { formatErrors } from "./errors.ts";
import { parseManifest } from "./parse.ts";
import type { AppSpec } from "./spec.ts";

function apps(text: string): readonly AppSpec[] {
  const parsed = parseManifest(text);
  assert(parsed.ok, parsed.ok ? "" : formatErrors(parsed.errors));
  return parsed.apps;
}

/** Each error as `line:column+length code`. */
function mistakes(text: string): readonly string[] {
  const parsed = parseManifest(text);
  if (parsed.ok) return [];
  return parsed.errors.map((error) =>
    `${error.line}:${error.column}+${error.length} ${error.code}`
  );
}

const REFERENCE = apps(`app shop
  exec /bin/shop
  port 80
  env {
    A 1
    B two words
  }
  health {
    check TCP
    interval 5s
  }
`);

const SAME: Readonly<Record<string, string>> = {
  "indentation instead of braces":
    `app shop\n  exec /bin/shop\n  port 80\n  env\n    A 1\n    B two words\n  health\n    check TCP\n    interval 5s`,
  "tabs for indentation":
    `app shop\n\texec /bin/shop\n\tport 80\n\tenv\n\t\tA 1\n\t\tB two words\n\thealth\n\t\tcheck TCP\n\t\tinterval 5s`,
  "a tab here and two blanks there":
    `app shop\n\texec /bin/shop\n  port 80\n\tenv\n\t  A 1\n    B two words\n  health\n  \tcheck TCP\n    interval 5s`,
  "no indentation at all":
    `app shop\nexec /bin/shop\nport 80\nenv {\nA 1\nB two words\n}\nhealth {\ncheck TCP\ninterval 5s\n}`,
  "{ on the next line":
    `app shop\n  exec /bin/shop\n  port 80\n  env\n  {\n    A 1\n    B two words\n  }\n  health\n\n  # why\n    {\n    check TCP\n    interval 5s\n}`,
  "both forms in one file":
    `app shop\n  exec /bin/shop\n  port 80\n  env\n    A 1\n    B two words\n  health {\n    check TCP\n    interval 5s\n  }`,
  "blocks on one line":
    `app shop\n  exec /bin/shop\n  port 80\n  env { A 1; B two words }\n  health { check TCP; interval 5s; } # yes`,
  "braces around the app":
    `app shop {\n  exec /bin/shop\n  port 80\n  env {\n    A 1\n    B two words\n  }\n  health {\n    check TCP\n    interval 5s\n  }\n}`,
  "braces around the app, { on the next line":
    `app shop\n{\n  exec /bin/shop\n  port 80\n  env { A 1; B two words }\n  health { check TCP; interval 5s }\n}`,
  "everything indented":
    `    app shop\n      exec /bin/shop\n      port 80\n      env\n         A 1\n         B two words\n      health\n        check TCP\n        interval 5s`,
  "blank lines, comments and a byte order mark":
    `\ufeff# a shop\n\napp shop # the shop\n\n   # deep\n  exec /bin/shop # run\n\n  port 80\t# http\n  env { # vars\n    A 1\n\n    # second\n    B two words   # two\n  } # done\n  health {\n    check TCP\n    interval 5s\n  }\n# end`,
  "line ends of Windows":
    `app shop\r\n  exec /bin/shop\r\n  port 80\r\n  env {\r\n    A 1\r\n    B two words\r\n  }\r\n  health {\r\n    check TCP\r\n    interval 5s\r\n  }\r\n`,
  "quoted values":
    `app "shop"\n  exec "/bin/shop"\n  port "80"\n  env {\n    A "1"\n    B "two words"\n  }\n  health {\n    check "TCP"\n    interval "5s"\n  }`,
};

for (const [name, text] of Object.entries(SAME)) {
  Deno.test(`readTree() reads the same with ${name}`, () => {
    assertEquals(apps(text), REFERENCE);
  });
}

Deno.test("readTree() reads apps one after the other, in any form", () => {
  const text =
    `app a\n  exec /a\napp b {\n  exec /b\n}\n\napp c\nexec /c\napp d\n  exec /d\n  env\n    X 1\n`;
  assertEquals(apps(text).map((app) => [app.name, app.exec]), [
    ["a", "/a"],
    ["b", "/b"],
    ["c", "/c"],
    ["d", "/d"],
  ]);
});

Deno.test("readTree() takes app for a name where names are free", () => {
  for (const env of ["env {\n    app x\n  }", "env\n    app x", "env { app x }"]) {
    const [app, ...others] = apps(`app a\n  exec /a\n  ${env}\n  port 80`);
    assertEquals(others, []);
    assertEquals(app?.env, { app: "x" });
    assertEquals(app?.port?.number, 80);
  }
});

const VALUES: readonly (readonly [written: string, value: string])[] = [
  ["http://x/#top", "http://x/#top"],
  ["a # comment", "a"],
  ["a #", "a"],
  ["a\t# comment", "a"],
  ['"a # b" # comment', "a # b"],
  ['"  kept  "', "  kept  "],
  ["  trimmed  ", "trimmed"],
  ['""', ""],
  ['say "a # b" twice # comment', 'say "a # b" twice'],
  [String.raw`say "a \" # b" # c`, String.raw`say "a \" # b"`],
  [String.raw`"q\" b\\ n\n t\t u\u{e9}"`, 'q" b\\ n\n t\t u\u00e9'],
  ["it's fine", "it's fine"],
  ['{"json": true}', '{"json": true}'],
  ["{a}", "{a}"],
  ["a {", "a {"],
  ["a }", "a }"],
  ['"{"', "{"],
  ["a;b", "a;b"],
  ["C:\\dir\\", "C:\\dir\\"],
  ["\u00e9\u{1f600} \u4e16", "\u00e9\u{1f600} \u4e16"],
];

for (const [written, value] of VALUES) {
  Deno.test(`readTree() reads the value ${written}`, () => {
    assertEquals(apps(`app a\n  exec /a\n  env {\n    K ${written}\n  }`)[0]?.env, { K: value });
  });
}

Deno.test("readTree() splits a block on one line at bare semicolons only", () => {
  const [app] = apps('app a\n  exec /a\n  port 1\n  env { A "x;y"; B ${PORT}; C a}b; D "}" }');
  assertEquals(app?.env, { A: "x;y", B: "${PORT}", C: "a}b", D: "}" });
});

const WRONG: Readonly<Record<string, readonly [text: string, ...mistakes: string[]]>> = {
  "nothing": ["", "1:1+1 missing-key"],
  "only comments": ["# x\n\n", "1:1+1 missing-key"],
  "a key before any app": ["exec /a\nport 80\n", "1:1+4 missing-key"],
  "a key behind an app in braces": [
    "x-fine 1\napp a {\n  exec /a\n}\nport 80\nreplicas 2\n",
    "5:1+4 missing-key",
  ],
  "an x- key behind an app in braces": [
    "app a {\n  exec /a\n}\nx-a\n  b 1\n",
    "4:1+3 missing-key",
  ],
  "a } with nothing open": ["app a\n  exec /a\n}\n", "3:1+1 braces"],
  "a { that follows nothing": ["{\napp a\n  exec /a\n", "1:1+1 braces"],
  "a { after a value": [
    "app a\n  exec /a\n  port 80\n  {\n  }\n",
    "4:3+1 unexpected-value",
  ],
  "a block never closed": ["app a\n  exec /a\n  env {\n    A 1\n", "3:3+3 braces"],
  "a block not closed before the next app": [
    "app a\n  exec /a\n  env {\n    A 1\napp b\n  exec /b\n",
    "3:3+3 braces",
  ],
  "a block not closed before the next key": [
    "app a\n  exec /a\n  env {\n    A 1\n  port 80\n  restart never\n}\n",
    "3:3+3 braces",
  ],
  "an app in braces never closed": ["app a {\n  exec /a\n", "1:1+3 braces"],
  "an app inside another's braces": [
    "app a {\n  exec /a\n  app b\n    exec /b\n}\n",
    "1:1+3 braces",
    "3:3+3 indentation",
    "5:1+1 braces",
  ],
  "an app indented unlike the first": [
    "app a\n  exec /a\n  app b\n    exec /b\n",
    "3:3+3 indentation",
  ],
  "a line deeper than its neighbours": [
    "app a\n  exec /a\n    port 80\n  replicas 2\n",
    "3:5+4 indentation",
  ],
  "several lines deeper than their neighbours": [
    "app a\n  exec /a\n    port 80\n    replicas 2\n  restart never\n",
    "3:5+4 indentation",
  ],
  "a line less deep than its neighbours": [
    "app a\n    exec /a\n  port 80\n  replicas 2\n",
    "3:3+4 indentation",
  ],
  "a ragged block": [
    "app a\n  exec /a\n  env\n      A 1\n    B 2\n  port 80\n",
    "5:5+1 indentation",
  ],
  "a ragged block in braces": [
    "app a\n  exec /a\n  env {\n    A 1\n      B 2\n  C 3\n  }\n  port 80\n",
    "5:7+1 indentation",
    "6:3+1 indentation",
  ],
  "a line deeper than a closed block": [
    "app a\n  exec /a\n  env {\n    A 1\n  }\n    port 80\n",
    "6:5+4 indentation",
  ],
  "text after a }": ["app a\n  exec /a\n  env {\n    A 1\n  } port 80\n", "5:5+7 braces"],
  "text after a { on its own line": [
    "app a\n  exec /a\n  env\n  { A 1\n  }\n",
    "4:5+3 braces",
  ],
  "a block on one line that is not closed": [
    "app a\n  exec /a\n  env { A 1; B 2}\n",
    "3:7+1 braces",
  ],
  "text after a block on one line": [
    "app a\n  exec /a\n  env { A 1 } B 2\n",
    "3:15+3 braces",
  ],
  "a value where a block must stand": [
    "app a\n  exec /a\n  env A 1\n",
    "3:7+3 unexpected-value",
  ],
  "a block that is missing": ["app a\n  exec /a\n  health\n  port 80\n", "3:3+6 missing-value"],
  "a block for a plain key": [
    "app a\n  exec /a\n  restart {\n    never\n  }\n",
    "3:11+1 unexpected-value",
  ],
  "a quote never closed": [
    'app a\n  exec /a\n  env {\n    A "b # c\n  }\n',
    "4:7+6 quoting",
  ],
  "a quote inside a value never closed": [
    'app a\n  exec /a\n  env {\n    A 5" wide # c\n  }\n',
    "4:8+10 quoting",
  ],
  "text after a closing quote": [
    'app a\n  exec /a\n  env {\n    A "b" c\n  }\n',
    "4:11+1 quoting",
  ],
  "a comment without a blank after a quote": [
    'app a\n  exec /a\n  env {\n    A "b"#c\n  }\n',
    "4:10+2 quoting",
  ],
  "an unknown escape": ['app a\n  exec /a\n  env {\n    A "b\\q"\n  }\n', "4:9+2 quoting"],
  "a NUL": ["app a\n  exec /a\u0000b\n", "2:10+1 character"],
  "a control character in a comment": ["app a # \u001b[2J\n  exec /a\n", "1:9+1 character"],
  "a lone carriage return": ["app a\n  exec /a\n  env {\n    A b\rc\n  }\n", "4:8+1 character"],
  "text that turns its direction": ["app a # \u202egnp\n  exec /a\n", "1:9+1 character"],
  "half a surrogate pair": ["app a # \ud800\n  exec /a\n", "1:9+1 character"],
  "bytes that were no UTF-8": ["app a # \ufffd\n  exec /a\n", "1:9+1 character"],
};

for (const [name, [text, ...expected]] of Object.entries(WRONG)) {
  Deno.test(`readTree() reports ${name}`, () => assertEquals(mistakes(text), expected));
}

Deno.test("readTree() reports a column in characters, not in UTF-16 units", () => {
  assertEquals(mistakes('app a\n  exec /a\n  env {\n    A "\u{1f600}\u{1f600}" c\n  }\n'), [
    "4:12+1 quoting",
  ]);
});

Deno.test("readTree() goes only so deep", () => {
  for (const open of [" {", ""]) {
    const levels = Array.from(
      { length: 1_000 },
      (_, level) => `${"  ".repeat(level + 1)}x-a${open}`,
    );
    const text = `app a\n  exec /a\n${levels.join("\n")}\n${open ? "}\n".repeat(1_000) : ""}`;
    const codes = mistakes(text).map((mistake) => mistake.split(" ")[1]);
    assertEquals(codes.filter((code) => code === "too-large").length, 1);
  }
  const fits = Array.from(
    { length: MANIFEST_DEPTH - 2 },
    (_, level) => `${"  ".repeat(level + 1)}x-a`,
  );
  assertEquals(mistakes(`app a\n  exec /a\n${fits.join("\n")}\n`), []);
});
