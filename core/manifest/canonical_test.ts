import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { specs, untidy } from "./arbitraries_test.ts";
import { canonical } from "./canonical.ts";
import { formatErrors } from "./errors.ts";
import { formatManifest } from "./format.ts";
import { APP } from "./keys.ts";
import { parseManifest } from "./parse.ts";
import type { BlockOf } from "./schema.ts";

function parsed(text: string) {
  const result = parseManifest(text);
  assert(result.ok, result.ok ? "" : `${formatErrors(result.errors)}\n${text}`);
  return result.apps;
}

Deno.test("canonical() leaves out comments, defaults and aliases", () => {
  const [app] = parsed(`
# the shop
app shop {
	bin   "/bin/shop"  # program
	type  process
	restart always
	port 80
	ram 1024mb
	drain 60000ms
	gpu no
	args  --a   'b c'  "d"
	env
		PORT  80
		EMPTY ""
	health { check get /h; interval 10s; retries 5 }
	rollout { order start-first }
	place { require a=b; require c=d }
	scale { min 1; max 1; cpu-above 70 }
	x-note  kept
}`);
  assertEquals(
    canonical(app!),
    `app shop
  exec  /bin/shop
  args  --a 'b c' d
  port  80
  ram   1gb
  drain 1m

  env {
    PORT  80
    EMPTY ""
  }

  health {
    check   GET /h 200
    retries 5
  }

  scale {
    cpu-above 70%
  }

  place {
    require a=b c=d
  }

  x-note kept
`,
  );
});

Deno.test("canonical() keeps the digest that the CLI adds", () => {
  const [app] = parsed("app a\n  exec /a\n  artifact { from dist }\n");
  const sha256 = "0123456789abcdef".repeat(4);
  const signed = { ...app!, artifact: { ...app!.artifact!, sha256 } };
  assertEquals(parsed(canonical(signed)), [signed]);
});

Deno.test("parseManifest() reads the canonical form of any specification back", () => {
  fc.assert(fc.property(specs, (spec) => assertEquals(parsed(canonical(spec)), [spec])), {
    numRuns: 400,
  });
});

Deno.test("canonical() of what it wrote is the same text, and formatted already", () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const text = canonical(spec);
      assertEquals(canonical(parsed(text)[0]!), text);
      assertEquals(formatManifest(text), { ok: true, text });
    }),
    { numRuns: 200 },
  );
});

Deno.test("canonical() texts of several apps make one manifest", () => {
  const several = fc.uniqueArray(specs, {
    minLength: 2,
    maxLength: 4,
    selector: (spec) => spec.name,
  });
  fc.assert(
    fc.property(several, (list) => {
      assertEquals(parsed(list.map(canonical).join("\n")), list);
    }),
    { numRuns: 50 },
  );
});

Deno.test("specs makes every key of the table", () => {
  const seen = new Set<string>();
  const look = <B>(block: BlockOf<B>, spec: B, prefix: string) => {
    const raw = block.unfinish(spec);
    for (const [field, key] of Object.entries(block.keys)) {
      const value = raw[field];
      if (value === undefined) continue;
      seen.add(prefix + key.name);
      if (key.type === "block") look(key.block, value, `${prefix}${key.name}.`);
      if (key.type !== "blocks") continue;
      for (const one of value as unknown[]) look(key.block, one, `${prefix}${key.name}.`);
    }
  };
  for (const spec of fc.sample(specs, { numRuns: 500, seed: 1 })) look(APP, spec, "");
  const all = (block: BlockOf<unknown>, prefix: string): string[] =>
    Object.values(block.keys).flatMap((key) =>
      key.type === "block" || key.type === "blocks"
        ? [prefix + key.name, ...all(key.block, `${prefix}${key.name}.`)]
        : [prefix + key.name]
    );
  const derived = ["timezone", "overlap", "serve.port"];
  const missing = all(APP as BlockOf<unknown>, "").filter((path) =>
    !seen.has(path) && !derived.includes(path)
  );
  assert(missing.length === 0, `never made: ${missing.join(" ")}`);
});

Deno.test("parseManifest() and formatManifest() see through any untidiness", () => {
  const chances = fc.array(fc.nat(59), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(specs, chances, (spec, chances) => {
      const tidy = canonical(spec);
      const text = untidy(tidy, chances);
      const read = parsed(text);
      assertEquals(read, [spec]);
      const formatted = formatManifest(text);
      assert(formatted.ok);
      assertEquals(parsed(formatted.text), read);
      assertEquals(formatManifest(formatted.text), formatted);
    }),
    { numRuns: 300 },
  );
});
