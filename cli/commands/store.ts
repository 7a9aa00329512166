// Moves, backs up and brings back the conductors' log, whatever keeps it.

import { readAtRestKey } from "../../conductor/live/at_rest.ts";
import { backUp, bringBack, copyLog } from "../../conductor/live/move_store.ts";
import { openStore, readStoreAccess } from "../../conductor/live/open_store.ts";
import { parseStoreTarget } from "../../conductor/leading/store_target.ts";
import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const [verb, from, to, ...more] = args.positional;
  if (from === undefined || to === undefined || more.length > 0) {
    throw new Failure(
      "usage",
      "skr8tr store copy FROM TO, backup STORE FILE or restore FILE STORE",
    );
  }
  const keyFile = args.value("at-rest-key");
  const key = keyFile === undefined ? null : await readAtRestKey(keyFile);
  const access = await readStoreAccess(args.value("store-login"), args.value("store-ca"));
  const open = async (text: string, isNew: boolean) => {
    const target = parseStoreTarget(text);
    if (target.kind === "sqlite" && !isNew && !await isFile(target.path)) {
      throw new Failure("usage", `there is no log at ${target.path}`);
    }
    return await openStore(target, key, access);
  };
  switch (verb) {
    case "copy": {
      await using source = disposable(await open(from, false));
      await using target = disposable(await open(to, true));
      const { sequence, hash } = await copyLog(source.store, target.store);
      output.print(`${to}: ${sequence} entries as in ${from}, the last is ${hash.slice(0, 12)}`);
      return DONE;
    }
    case "backup": {
      await using source = disposable(await open(from, false));
      const { sequence, hash } = await backUp(source.store, to, key);
      output.print(`${to}: ${sequence} entries of ${from}, the last is ${hash.slice(0, 12)}`);
      return DONE;
    }
    case "restore": {
      await using target = disposable(await open(to, true));
      const { sequence, hash } = await bringBack(from, target.store, key);
      output.print(`${to}: ${sequence} entries from ${from}, the last is ${hash.slice(0, 12)}`);
      return DONE;
    }
    default:
      throw new Failure("usage", "skr8tr store knows copy, backup and restore");
  }
}

function disposable(store: Awaited<ReturnType<typeof openStore>>) {
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
