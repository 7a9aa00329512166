// `skr8tr dev`: deploys again whenever something beside the manifests is saved.

import { Failure } from "../core/errors.ts";
import type { Context } from "./command.ts";
import { DONE } from "./command.ts";
import type { Signer } from "./keys.ts";
import { appsWithFolders } from "./manifests.ts";
import { up } from "./up.ts";

/** An editor saves in several steps: the deploy begins when it has been quiet for so long, ms. */
const QUIET_MS = 80;

/** Never a source: what tools keep for themselves. */
const NEVER = /(^|\/)(\.[^/]+|node_modules)(\/|$)|~$/;

/** Deploys, watches, deploys again, until it is interrupted. */
export async function dev(context: Context, signer: Promise<Signer>): Promise<number> {
  const { arguments: args, output } = context;
  const ready = await signer;
  for (;;) {
    const watched = await watchedOf(args.positional);
    using watcher = Deno.watchFs([...watched.folders]);
    try {
      await up(context, Promise.resolve(ready), true);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      output.note(`${output.notePaint.bad("error:")} ${error.message}`);
    }
    output.note(output.notePaint.faint("watching; Ctrl-C ends"));
    if (!await changed(watcher, watched)) return DONE;
  }
}

/** What is watched, and what of it is made by the build and so is no change. */
export interface Watched {
  readonly folders: ReadonlySet<string>;
  readonly made: readonly string[];
}

async function watchedOf(paths: readonly string[]): Promise<Watched> {
  const own = paths.map((path) => folderOf(path));
  try {
    const { specs, folders } = await appsWithFolders(paths);
    const at = (folder: string, path: string) => path.startsWith("/") ? path : `${folder}/${path}`;
    const made = specs.flatMap((spec) => {
      const folder = folders.get(spec.name) ?? ".";
      if (!spec.build) return [];
      return [spec.build.out, spec.artifact?.from].flatMap((path) =>
        path === undefined ? [] : [at(folder, path)]
      );
    });
    return { folders: new Set([...folders.values(), ...own]), made };
  } catch (error) {
    // A manifest with a mistake is watched until it has none.
    if (!(error instanceof Failure)) throw error;
    return { folders: new Set(own), made: [] };
  }
}

function folderOf(path: string): string {
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  return whole.slice(0, Math.max(1, whole.lastIndexOf("/")));
}

/** Whether a path that changed is one of the sources. */
export function isSource(path: string, { folders, made }: Watched): boolean {
  const folder = [...folders].find((each) => path.startsWith(`${each}/`));
  const inner = folder === undefined ? path : path.slice(folder.length + 1);
  return !NEVER.test(inner) && !made.some((each) => path === each || path.startsWith(`${each}/`));
}

/** Resolves when sources have changed and it has been quiet since; false where watching ended. */
async function changed(watcher: Deno.FsWatcher, watched: Watched): Promise<boolean> {
  const iterator = watcher[Symbol.asyncIterator]();
  let next = iterator.next();
  let seen = false;
  for (;;) {
    const quiet = Promise.withResolvers<null>();
    const timer = seen ? setTimeout(() => quiet.resolve(null), QUIET_MS) : undefined;
    const event = await Promise.race([next, quiet.promise]);
    clearTimeout(timer);
    if (event === null) return true;
    if (event.done) return false;
    next = iterator.next();
    if (event.value.kind === "access") continue;
    seen ||= event.value.paths.some((path) => isSource(path, watched));
  }
}
