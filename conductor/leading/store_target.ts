/** What `--store` names: where the log is kept. */

import { Failure } from "../../core/errors.ts";

/** Servers of NATS with JetStream, and the name under which this cluster's log is kept there. */
export interface NatsTarget {
  readonly kind: "nats";
  /** `HOST:PORT`, at least one. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  /** The first word of its streams' and subjects' names. */
  readonly name: string;
  /** On how many servers each entry stands before it counts. */
  readonly copies: number;
  /** How large the log may become, in bytes; absent: as the servers allow. */
  readonly maxBytes?: number;
}

/** One SQLite file, of one conductor. */
export interface SqliteTarget {
  readonly kind: "sqlite";
  readonly path: string;
}

export type StoreTarget = NatsTarget | SqliteTarget;

const NATS_PORT = 4_222;
const NATS_URL = /^(nats|tls):\/\/([^/?]+)(?:\/([A-Za-z0-9_-]{1,40}))?(?:\?(.*))?$/;
const SERVER = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/;

/**
 * Reads `nats://HOST[:PORT],...[/NAME][?copies=N&max=BYTES]` (or `tls://`), else a path of a SQLite
 * file.
 *
 * @throws {Failure} `usage`.
 */
export function parseStoreTarget(text: string): StoreTarget {
  if (!/^[a-z]+:\/\//.test(text)) return { kind: "sqlite", path: text };
  const wrong = (why: string) =>
    new Failure("usage", `--store ${text}: ${why}; write nats://HOST:PORT,HOST:PORT,HOST:PORT`);
  const found = NATS_URL.exec(text);
  if (!found) throw wrong("this is neither nats:// nor tls:// nor a file");
  const [, scheme, hosts = "", name = "skr8tr", query = ""] = found;
  if (hosts.includes("@")) throw wrong("a password would show in ps: give --store-login FILE");
  const servers = hosts.split(",").map((each) => {
    const [, host, port = `${NATS_PORT}`] = SERVER.exec(each) ?? [];
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw wrong(`${each} is no HOST:PORT`);
    }
    return `${host}:${port}`;
  });
  const settings = new Map(
    query.split("&").filter((each) => each !== "").map((each) => {
      const [key = "", value = ""] = each.split("=");
      if (key !== "copies" && key !== "max") throw wrong(`${key} is no setting of a store`);
      return [key, value] as const;
    }),
  );
  const copies = Number(settings.get("copies") ?? Math.min(3, servers.length | 1));
  if (![1, 3, 5].includes(copies)) throw wrong("copies are 1, 3 or 5");
  const max = settings.get("max");
  if (max !== undefined && !/^[0-9]{1,15}$/.test(max)) throw wrong("max is a number of bytes");
  return {
    kind: "nats",
    servers,
    tls: scheme === "tls",
    name,
    copies,
    ...(max === undefined ? {} : { maxBytes: Number(max) }),
  };
}
