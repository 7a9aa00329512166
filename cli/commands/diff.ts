import { diffLines } from "diff";
import { Failure } from "../../core/errors.ts";
import { canonical } from "../../core/manifest/format.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { type Conductor, conductorAt } from "../conductor.ts";
import { appsWithFolders } from "../manifests.ts";
import type { Paint } from "../output.ts";
import { hashedIfThere } from "../ship.ts";
import { targetOf } from "../target.ts";

/** Exits with 1 where something differs, as `diff` does. */
export async function run({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const apps: { app: string; differs: boolean; running: string; file: string }[] = [];
  const { specs: written, folders } = await appsWithFolders(args.positional);
  for (const spec of await Promise.all(written.map((each) => hashedIfThere(each, folders)))) {
    const running = await runningManifest(conductor, spec);
    const file = canonical(spec);
    apps.push({ app: spec.name, differs: running !== file, running, file });
    if (args.has("json")) continue;
    if (running === file) output.print(`${spec.name} runs as the file says`);
    difference(running, file, output.paint).forEach((line) => output.print(line));
  }
  if (args.has("json")) output.print(JSON.stringify({ apps }));
  return apps.some(({ differs }) => differs) ? FAILED : DONE;
}

/** The canonical manifest that the app runs by; empty where it is not up. */
async function runningManifest(conductor: Conductor, { name }: AppSpec): Promise<string> {
  try {
    return (await conductor.get<{ manifest: string }>(`/api/apps/${name}/manifest`)).manifest;
  } catch (error) {
    if (error instanceof Failure && error.code === "not-found") return "";
    throw error;
  }
}

/** Both texts line by line: `-` runs now, `+` is in the file; nothing where they are the same. */
export function difference(running: string, file: string, paint: Paint): string[] {
  if (running === file) return [];
  return diffLines(running, file).flatMap(({ added, removed, value }) => {
    const [mark, color] = added
      ? ["+", paint.good] as const
      : removed
      ? ["-", paint.bad] as const
      : [" ", (text: string) => text] as const;
    return value.replace(/\n$/, "").split("\n").map((line) => color(`${mark} ${line}`));
  });
}
