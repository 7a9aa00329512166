// Where `--store` says that the log is, opened.

import { Failure } from "../../core/errors.ts";
import type { LogStore, SharedStore } from "../../core/log.ts";
import type { StoreTarget } from "../leading/store_target.ts";
import type { NatsAccess } from "./nats.ts";
import { SqliteStore } from "./store_sqlite.ts";

/**
 * Opens the log.
 *
 * @param key what entries are encrypted by; `null`: they are not
 * @throws {Failure} `store-unreadable`, `store-unreachable`.
 */
export async function openStore(
  target: StoreTarget,
  key: Uint8Array | null,
  access: NatsAccess = {},
): Promise<LogStore> {
  if (target.kind === "sqlite") {
    const cut = target.path.lastIndexOf("/");
    if (cut > 0) await Deno.mkdir(target.path.slice(0, cut), { recursive: true, mode: 0o700 });
    return new SqliteStore(target.path, key);
  }
  // The client of NATS costs memory and time at the start: only those pay who use it.
  const { NatsStore } = await import("./store_nats.ts");
  return await NatsStore.open(target, key, access);
}

/** Reads what `--store-login` and `--store-ca` name. @throws {Failure} `no-key`. */
export async function readStoreAccess(login?: string, ca?: string): Promise<NatsAccess> {
  const read = async (path: string) => {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      throw new Failure("no-key", `cannot read ${path}: ${(error as Error).message}`);
    }
  };
  return {
    ...(login === undefined ? {} : { login: await read(login) }),
    ...(ca === undefined ? {} : { caCert: await read(ca) }),
  };
}

/** Says whether several conductors may open this store. */
export function isShared(store: LogStore): store is SharedStore {
  return "swapLease" in store;
}
