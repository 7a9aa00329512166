import { assert, assertEquals } from "@std/assert";
import { formatManifest } from "./format.ts";

function formatted(text: string): string {
  const result = formatManifest(text);
  assert(result.ok, result.ok ? "" : result.errors.map((error) => error.message).join("\n"));
  return result.text;
}

const UNTIDY = `
# The shop.

#   Its front door.
app   shop {   # everything
	bin   "/bin/shop"
	port 80   # http
	# two of them
	replicas   2


	gpu true
	args  --x   'a b' "c"   # as typed
	env
	# for the log
	{ # variables
		LOG_LEVEL   "info"
		X "a # b"

		EMPTY ""
		# the last
	} # end of env
	health { check GET /h; interval 10s } # short
	secret
		TOKEN
		KEY shop/key
	# about the route
	route {
	}
	x-note   "kept"
	replcas 3
	# done
} # shop
# Another one.
app other
exec /o
schedule 0 3 * * *
	overlap  skip
# the end
`;

const TIDY = `# The shop.

#   Its front door.
app shop  # everything
  exec     /bin/shop
  port     80  # http
  # two of them
  replicas 2

  gpu  yes
  args --x   'a b' "c"  # as typed

  env {
    # for the log
    # variables
    LOG_LEVEL info
    X         "a # b"

    EMPTY ""
    # the last
  }  # end of env

  health {  # short
    check    GET /h
    interval 10s
  }

  secret {
    TOKEN
    KEY shop/key
  }

  # about the route
  route {
  }

  x-note  kept
  replcas 3
  # done
  # shop

# Another one.
app other
  exec /o

  schedule 0 3 * * * {
    overlap skip
  }

# the end
`;

Deno.test("formatManifest() brings a manifest into its one form and keeps the comments", () => {
  assertEquals(formatted(UNTIDY), TIDY);
});

Deno.test("formatManifest() leaves the one form as it is", () => {
  assertEquals(formatted(TIDY), TIDY);
});

Deno.test("formatManifest() keeps comments with the block they are indented like", () => {
  const text = `app a
  exec /a
  env
    A 1
    # still about the environment
  # about the port
  port 80
  # still about a
# about b
app b
  exec /b
`;
  assertEquals(
    formatted(text),
    `app a
  exec /a

  env {
    A 1
    # still about the environment
  }

  # about the port
  port 80
  # still about a

# about b
app b
  exec /b
`,
  );
});

Deno.test("formatManifest() does not let one long key push the others away", () => {
  const long = "x-".padEnd(50, "k");
  assertEquals(
    formatted(`app a\n exec /a\n ${long} 1\n port 80\n`),
    `app a\n  exec /a\n  ${long} 1\n  port 80\n`,
  );
});

Deno.test("formatManifest() makes nothing of nothing", () => {
  assertEquals(formatted(""), "");
  assertEquals(formatted("\n\n  \n"), "");
  assertEquals(formatted("\n# only this\n\n"), "# only this\n");
});

Deno.test("formatManifest() formats what is only wrong in its values", () => {
  assertEquals(
    formatted("app A\n exec  /a {\n port none\n health\n  check   nothing\n"),
    "app A\n  exec /a {\n  port none\n\n  health {\n    check nothing\n  }\n",
  );
});

Deno.test("formatManifest() refuses what could be read two ways", () => {
  const result = formatManifest("app a\n  exec /a\n    port 80\n", "a.skr8tr");
  assert(!result.ok);
  assertEquals(result.errors.map(({ file, line, column, code }) => [file, line, column, code]), [
    ["a.skr8tr", 3, 5, "indentation"],
  ]);
});
