import { Failure } from "../../core/errors.ts";
import { allKeys, explainKey } from "../../core/manifest/explain.ts";
import { type Context, DONE } from "../command.ts";
import { rows } from "../help.ts";

export function run({ arguments: args, output }: Context): Promise<number> {
  const [path] = args.positional;
  if (path === undefined) {
    const keys = allKeys().map((key) => [key.path, key.meaning] as const);
    rows(keys, Math.min(output.columns, 100)).forEach((line) => output.print(line));
    return Promise.resolve(DONE);
  }
  const explained = explainKey(path);
  if (!explained.ok) {
    const near = explained.nearest === undefined ? "" : `; did you mean ${explained.nearest}?`;
    throw new Failure("unknown-key", `${explained.message}${near} (skr8tr explain lists them all)`);
  }
  output.print(explained.text.trimEnd());
  return Promise.resolve(DONE);
}
