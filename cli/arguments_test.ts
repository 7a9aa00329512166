import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { parseCommandLine } from "./arguments.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./table.ts";

const parse = (line: string) => parseCommandLine(line.split(" ").filter((word) => word !== ""));

async function refused(line: string): Promise<string> {
  const error = await assertRejects(() => parse(line), Failure) as Failure;
  assertEquals(error.code, "usage");
  return error.message;
}

Deno.test("parseCommandLine() takes global options before and after the command", async () => {
  for (const line of ["--key a.sec up x.skr8tr --wait", "up --wait x.skr8tr --key=a.sec"]) {
    const { command, arguments: args } = await parse(line);
    assertEquals(command.name, "up");
    assertEquals(args.positional, ["x.skr8tr"]);
    assertEquals(args.value("key"), "a.sec");
    assertEquals(args.has("wait"), true);
    assertEquals(args.has("dry-run"), false);
  }
});

Deno.test("parseCommandLine() knows --host as --conductor, and short options", async () => {
  const { arguments: args } = await parse("--host 10.0.0.1:9 logs -f api -n 20");
  assertEquals(args.value("conductor"), "10.0.0.1:9");
  assertEquals(args.has("follow"), true);
  assertEquals(args.integer("lines", 0, 100, 7), 20);
});

Deno.test("parseCommandLine() leads to help and version", async () => {
  assertEquals((await parse("")).command.name, "help");
  assertEquals((await parse("--help")).command.name, "help");
  assertEquals((await parse("--version")).command.name, "version");
  const { command, arguments: args } = await parse("up --help");
  assertEquals([command.name, args.positional], ["help", ["up"]]);
});

Deno.test("parseCommandLine() names what is near to a mistake", async () => {
  assertStringIncludes(await refused("lst"), "did you mean skr8tr list?");
  assertStringIncludes(await refused("up x --wiat"), "did you mean --wait?");
  assertStringIncludes(await refused("--jsno list"), "did you mean --json?");
  assertStringIncludes(await refused("frobnicate"), "skr8tr help lists");
});

Deno.test("parseCommandLine() refuses options of other commands and wrong counts", async () => {
  assertStringIncludes(await refused("list --wait"), "has no option --wait");
  assertStringIncludes(await refused("up"), "needs FILE...");
  assertStringIncludes(await refused("ping now"), "does not know what to do with now");
  assertStringIncludes(await refused("--json"), "needs a command");
  const { arguments: args } = await parse("ping --timeout");
  assertThrows(() => args.durationMs("timeout", 1), Failure, "--timeout needs a value");
});

Deno.test("durationMs() reads units, and seconds without one", async () => {
  const ms = async (text: string) =>
    (await parse(`ping --timeout ${text}`)).arguments.durationMs("timeout", 1);
  assertEquals(await ms("500ms"), 500);
  assertEquals(await ms("2"), 2_000);
  assertEquals(await ms("1.5s"), 1_500);
  assertEquals(await ms("2m"), 120_000);
  for (const wrong of ["0", "soon", "5 s5", "1e9"]) {
    await assertRejects(() => ms(wrong), Failure);
  }
});

Deno.test("the command table has no option with two meanings", () => {
  const seen = new Map<string, boolean>();
  const shorts = new Map<string, string>();
  for (const option of [...GLOBAL_OPTIONS, ...COMMANDS.flatMap((command) => command.options)]) {
    const valued = option.value !== undefined;
    assertEquals(seen.get(option.name) ?? valued, valued, option.name);
    seen.set(option.name, valued);
    if (!option.short) continue;
    assertEquals(shorts.get(option.short) ?? option.name, option.name, option.short);
    shorts.set(option.short, option.name);
  }
});
