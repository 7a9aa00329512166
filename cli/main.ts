// `skr8tr`: reads the command line, runs one command, exits with its code. Only what every command
// needs is imported here; each command brings its own when it is run.

import { Failure } from "../core/errors.ts";
import { parseCommandLine } from "./arguments.ts";
import { FAILED, UNREACHABLE } from "./command.ts";
import { type Output, standardOutput } from "./output.ts";

/** Codes of failures that mean: nobody was there, or the command line is wrong. */
const NOBODY: readonly string[] = ["usage", "unreachable"];

/** What the exit code of a failure is: 2 for `usage` and `unreachable`, else 1. */
export function exitCodeOf(failure: Failure): number {
  return NOBODY.includes(failure.code) ? UNREACHABLE : FAILED;
}

/** Runs one command line and resolves to its exit code. Says every failure in one line. */
export async function main(
  args: readonly string[],
  output: Output = standardOutput(args.includes("--no-color")),
): Promise<number> {
  try {
    const invocation = await parseCommandLine(args);
    const { run } = await invocation.command.load();
    return await run({ arguments: invocation.arguments, output });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      output.note(`${output.notePaint.bad("error:")} ${notPermitted(error)}`);
      return FAILED;
    }
    if (!(error instanceof Failure)) throw error;
    output.note(`${output.notePaint.bad("error:")} ${error.message}`);
    return exitCodeOf(error);
  }
}

/** Deno says which permission it lacks, and names a flag that our users do not give. */
function notPermitted({ message }: Error): string {
  const [lacks] = message.split(", run again");
  return `skr8tr is not permitted to do that: ${lacks}; it may write in the folder where it is run ` +
    "and below: run it where that is (docs/CLI.md has its permissions)";
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    // Whoever read our output has heard enough: skr8tr list | head -1
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}
