import { assert, assertEquals } from "@std/assert";
import onigurumaBinding from "vscode-oniguruma";
import textmateBinding from "vscode-textmate";
import { allKeys } from "../core/manifest/explain.ts";
import { GRAMMAR_PATH, grammarText } from "./grammar.ts";

/** Scopes of the words of a manifest, as an editor sees them. */
async function tokens(manifest: string): Promise<[text: string, scope: string][]> {
  const wasm = new URL(import.meta.resolve("vscode-oniguruma/release/onig.wasm"));
  await onigurumaBinding.loadWASM(await Deno.readFile(wasm));
  const registry = new textmateBinding.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns: string[]) => new onigurumaBinding.OnigScanner(patterns),
      createOnigString: (text: string) => new onigurumaBinding.OnigString(text),
    }),
    loadGrammar: () =>
      Promise.resolve(textmateBinding.parseRawGrammar(grammarText(), "grammar.json")),
  });
  const grammar = await registry.loadGrammar("source.skr8tr");
  assert(grammar);
  const found: [string, string][] = [];
  let stack = textmateBinding.INITIAL;
  for (const line of manifest.split("\n")) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    for (const { startIndex, endIndex, scopes } of tokens) {
      const text = line.slice(startIndex, endIndex).trim();
      if (text !== "" && scopes.length > 1) found.push([text, scopes.at(-1)!]);
    }
  }
  return found;
}

const MANIFEST = `# the shop
app product-svc
  exec     /opt/bin/product-svc   # the program
  args     --port \${PORT} "a \${APP} \\n b"
  replicas 2
  ram      96mb

  env {
    RUST_LOG info
  }

  health {
    check    GET /health 200
    interval 10s
  }
  restart always
  x-owner  ann
`;

Deno.test("the grammar names what stands in a manifest", async () => {
  const named = new Map(await tokens(MANIFEST));
  const scopes: Record<string, string> = {
    "# the shop": "comment.line.number-sign.skr8tr",
    "# the program": "comment.line.number-sign.skr8tr",
    "app": "keyword.control.app.skr8tr",
    "product-svc": "entity.name.type.app.skr8tr",
    "exec": "keyword.other.key.skr8tr",
    "interval": "keyword.other.key.skr8tr",
    "x-owner": "keyword.other.key.skr8tr",
    "${PORT}": "variable.language.skr8tr",
    "${APP}": "variable.language.skr8tr",
    "\\n": "constant.character.escape.skr8tr",
    "2": "constant.numeric.skr8tr",
    "96mb": "constant.numeric.skr8tr",
    "10s": "constant.numeric.skr8tr",
    "env": "storage.type.block.skr8tr",
    "health": "storage.type.block.skr8tr",
    "RUST_LOG": "variable.other.environment.skr8tr",
    "always": "constant.language.skr8tr",
  };
  for (const [text, scope] of Object.entries(scopes)) assertEquals(named.get(text), scope, text);
});

Deno.test("the grammar knows every key of the key table", async () => {
  for (const { path } of allKeys()) {
    const name = path.split(".").at(-1)!;
    const [first] = await tokens(`  ${name} value`);
    assert(first && /keyword|storage/.test(first[1]), `${path} is ${first?.[1]}`);
  }
});

Deno.test("the grammar is up to date (deno task docs)", async () => {
  const file = new URL(`../${GRAMMAR_PATH}`, import.meta.url);
  assertEquals(await Deno.readTextFile(file), grammarText(), "deno task docs");
});
