import { Failure } from "../../core/errors.ts";
import type { Context } from "../command.ts";
import { tell } from "../verbs.ts";

export async function run(context: Context): Promise<number> {
  const tellings = context.arguments.positional.map((word) => {
    const match = /^([a-z][a-z0-9-]{0,62})=(0|[1-9][0-9]{0,5}|-)$/.exec(word);
    if (match) return { verb: "SCALE", app: match[1]!, count: match[2]! } as const;
    throw new Failure("usage", `${word} is not APP=N (or APP=- for what the manifest says)`);
  });
  return await tell(context, tellings, "scaled");
}
