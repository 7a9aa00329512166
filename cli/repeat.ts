// `--watch`: the same view again and again, until interrupted.

import { Failure } from "../core/errors.ts";
import type { Context } from "./command.ts";

/** How often a view is drawn anew by default, ms. */
const EVERY_MS = 2_000;
/** How long to wait for a conductor that does not answer, ms. */
const AGAIN_MS = 1_000;

const CLEAR = "\x1b[H\x1b[2J";

/**
 * Prints the lines once; with `--watch` for ever, on a terminal in place of the ones before. While
 * it watches, a conductor that does not answer is said so and asked again.
 */
export async function show(
  { arguments: args, output }: Context,
  lines: () => Promise<readonly string[]>,
): Promise<void> {
  if (!args.has("watch")) return (await lines()).forEach((line) => output.print(line));
  const everyMs = args.durationMs("every", EVERY_MS);
  const clear = output.columns === Infinity || args.has("json") ? "" : CLEAR;
  for (;;) {
    let waitMs = everyMs;
    try {
      const text = (await lines()).join("\n");
      output.print(clear + text);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      output.note(`${output.notePaint.bad("!")} ${error.message}`);
      waitMs = AGAIN_MS;
    }
    await new Promise((again) => setTimeout(again, waitMs));
  }
}
