import { unbuiltKeys } from "../../core/manifest/unbuilt.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { printErrors, readManifests } from "../manifests.ts";
import { counted } from "../render/words.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const { specs, errors } = await readManifests(args.positional);
  if (args.has("json")) {
    const apps = specs.map((spec) => ({ app: spec.name, unbuilt: unbuiltKeys(spec) }));
    output.print(JSON.stringify({ ok: errors.length === 0, apps, errors }));
  } else if (errors.length > 0) {
    printErrors(errors, output);
  } else {
    for (const spec of specs) {
      for (const key of unbuiltKeys(spec)) {
        output.note(`${output.notePaint.warn("note:")} ${spec.name}: ${key} is not acted on yet`);
      }
    }
    output.print(`${counted(specs.length, "app")}: no errors`);
  }
  return errors.length === 0 ? DONE : FAILED;
}
