import { Failure } from "../../core/errors.ts";
import { formatManifest } from "../../core/manifest/format.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { printErrors, readText } from "../manifests.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  let code = DONE;
  for (const path of args.positional) {
    const text = await readText(path);
    const formatted = formatManifest(text, path);
    if (!formatted.ok) {
      printErrors(formatted.errors, output);
      code = FAILED;
    } else if (!args.has("write")) {
      output.print(formatted.text.replace(/\n$/, ""));
    } else if (formatted.text !== text) {
      await replaceFile(path, formatted.text);
      output.note(`formatted ${path}`);
    }
  }
  return code;
}

/** Writes beside the file and moves over it, so that a crash leaves one or the other whole. */
async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  try {
    const { mode } = await Deno.stat(path);
    await Deno.writeTextFile(fresh, text, { mode: mode ?? undefined });
    await Deno.rename(fresh, path);
  } catch (error) {
    throw new Failure("cannot-write", `cannot write ${path}: ${(error as Error).message}`);
  }
}
