// Every command that a document names is run: by the test of its page, by tests/e2e/document_steps.ts,
// or where tests/e2e/document_elsewhere.ts says.

import { assert, assertEquals } from "@std/assert";
import { allCommands, type Command, commandsOf, isSpoken } from "../tests/e2e/document_commands.ts";
import { ELSEWHERE, FOLLOWED, NO_COMMANDS } from "../tests/e2e/document_elsewhere.ts";
import { STEPS } from "../tests/e2e/document_steps.ts";
import { ROOT } from "../tests/e2e/documents.ts";

const isFollowed = ({ page, kind, info }: Command) =>
  kind === "code" && (FOLLOWED[page] ?? []).includes(info ?? "");

const commands = (await allCommands()).filter(({ line }) => !NO_COMMANDS.test(line));
const runs = STEPS.flatMap((step) => "run" in step ? [step.run] : []);

Deno.test("every command that a document names is run somewhere", () => {
  const typed = [...commands.filter(isFollowed).map(({ line }) => line), ...runs];
  const isRun = (command: Command) =>
    isFollowed(command) || typed.includes(command.line) || command.line in ELSEWHERE ||
    command.kind === "said" &&
      [...typed, ...Object.keys(ELSEWHERE)].some((line) => isSpoken(command.line, line));
  const missing = commands.filter((command) => !isRun(command))
    .map(({ page, line }) => `${page}: ${line}`);
  assertEquals(missing, [], "add it to tests/e2e/document_steps.ts, or to document_elsewhere.ts");
  assert(commands.length > 250, `only ${commands.length} were found`);
});

Deno.test("what is run, or left to others, stands in a document", async () => {
  const stale = [...runs, ...Object.keys(ELSEWHERE)].filter((line) =>
    !commands.some((command) => command.line === line) &&
    !commands.some(({ kind, line: said }) => kind === "said" && isSpoken(said, line))
  );
  assertEquals(stale, []);
  for (const [, where] of Object.values(ELSEWHERE)) await Deno.stat(`${ROOT}/${where}`);
});

Deno.test("commandsOf() finds commands in blocks, in indented code and in prose", () => {
  const page =
    "```sh\nskr8tr a \\\n  --b # why\n\n```\n\n    deno task c\n\nDo `skr8tr\nup FILE`.\n" +
    "\n```text\nskr8tr d\n```\n";
  assertEquals(
    commandsOf("p", page).map(({ line, kind }) => `${kind} ${line}`),
    ["code skr8tr a --b", "code deno task c", "said skr8tr up FILE"],
  );
  assert(isSpoken("skr8tr up FILE", "skr8tr up shop.skr8tr --wait"));
  assert(isSpoken("skr8tr run --wait", "skr8tr run backup.skr8tr --wait"));
  assert(!isSpoken("skr8tr run --wait", "skr8tr run backup"));
  assert(!isSpoken("skr8tr node forget NODE", "skr8tr node drain node-2 --wait"));
  assert(!isSpoken("skr8tr run", "skr8tr runs backup"));
});
