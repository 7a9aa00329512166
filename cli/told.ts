// What a command says when it has done what it was asked.

import { type Context, DONE } from "./command.ts";

/** Prints the sentence, or with `--json` the value; returns the exit code of what is done. */
export function told({ arguments: args, output }: Context, value: object, text: string): number {
  output.print(args.has("json") ? JSON.stringify(value) : text);
  return DONE;
}
