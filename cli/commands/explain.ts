import { Failure } from "../../core/errors.ts";
import { allKeys, explainKey } from "../../core/manifest/explain.ts";
import { type Context, DONE } from "../command.ts";
import { rows } from "../help.ts";
import { told } from "../told.ts";

export function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [path] = args.positional;
  if (path === undefined && args.has("json")) {
    output.print(JSON.stringify({ keys: allKeys() }));
    return Promise.resolve(DONE);
  }
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
  const text = explained.text.trimEnd();
  return Promise.resolve(told(context, { key: path, text }, text));
}
