// A log from one store to another, or to a file and back. Every entry is checked on its way.

import { Failure } from "../../core/errors.ts";
import { checkEntry, EMPTY_HEAD, type Entry, type Head, type LogStore } from "../../core/log.ts";
import { decrypt, encrypt } from "./at_rest.ts";
import { readLog } from "./open.ts";

/**
 * Copies a log into a store that is empty, or that holds the beginning of it: then it goes on there.
 * The last entry that was copied comes back.
 *
 * @throws {Failure} `store-damaged` where the log is; `other-log` where the target holds another.
 */
export async function copyLog(from: LogStore, to: LogStore): Promise<Head> {
  let head = await beginning(from, to);
  for await (const entry of readLog(from, head)) {
    await to.append(entry);
    head = { sequence: entry.sequence, hash: entry.hash };
  }
  const snapshot = await from.loadSnapshot();
  // Without it a start reads the whole log; with one that is ahead it would be refused.
  if (snapshot && snapshot.head.sequence <= head.sequence) {
    await to.saveSnapshot(snapshot.head, snapshot.state);
  }
  return head;
}

/** Where the target ends, if the source goes on from there. */
async function beginning(from: LogStore, to: LogStore): Promise<Head> {
  const head = await to.head();
  if (head.sequence === 0) return EMPTY_HEAD;
  const [there] = await from.read(head.sequence - 1, 1);
  if (there?.hash === head.hash) return head;
  throw new Failure(
    "other-log",
    `the target holds ${head.sequence} entries of another log: give an empty one, or move that away`,
  );
}

const FORMAT = "skr8tr backup 1";

/** Writes the log into a file, an entry a line, encrypted where a key is given. */
export async function backUp(from: LogStore, path: string, key: Uint8Array | null): Promise<Head> {
  const made = `${path}.new`;
  let head = EMPTY_HEAD;
  try {
    const options = { create: true, write: true, truncate: true, mode: 0o600 };
    using file = await Deno.open(made, options);
    const encoder = new TextEncoder();
    const write = async (line: string) => {
      const bytes = encoder.encode(`${line}\n`);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    };
    await write(FORMAT);
    for await (const entry of readLog(from, EMPTY_HEAD)) {
      const json = JSON.stringify(entry);
      await write(key === null ? json : encrypt(key, json, `${entry.sequence}`));
      head = { sequence: entry.sequence, hash: entry.hash };
    }
    // A file that was cut shows by its last line.
    await write(`end ${head.sequence} ${head.hash}`);
    await file.sync();
  } catch (error) {
    await Deno.remove(made).catch(() => {});
    if (error instanceof Failure) throw error;
    throw new Failure("cannot-write", `cannot write ${path}: ${(error as Error).message}`);
  }
  await Deno.rename(made, path);
  return head;
}

/**
 * Reads what `backUp` wrote into a store that is empty or holds the beginning of it. Nothing is
 * written unless the whole file is good.
 *
 * @throws {Failure} `bad-backup`, `no-key`, `other-log`.
 */
export async function bringBack(
  path: string,
  to: LogStore,
  key: Uint8Array | null,
): Promise<Head> {
  let end = EMPTY_HEAD;
  for await (const entry of readBackup(path, key)) end = entry;
  const held = await to.head();
  let isThere = held.sequence === 0;
  for await (const entry of readBackup(path, key)) {
    if (entry.sequence === held.sequence) isThere = entry.hash === held.hash;
    if (entry.sequence <= held.sequence) continue;
    if (!isThere) break;
    await to.append(entry);
  }
  if (isThere) return { sequence: end.sequence, hash: end.hash };
  throw new Failure(
    "other-log",
    `the target holds ${held.sequence} entries that ${path} does not go on from: give an empty one`,
  );
}

async function* readBackup(path: string, key: Uint8Array | null): AsyncGenerator<Entry> {
  const bad = (why: string) => new Failure("bad-backup", `${path} is no whole backup: ${why}`);
  let head = EMPTY_HEAD;
  let isWhole = false;
  let number = 0;
  for await (const line of linesOf(path)) {
    if (isWhole) throw bad("something follows its end");
    if (number++ === 0) {
      if (line !== FORMAT) throw bad("it does not begin as one");
      continue;
    }
    if (line.startsWith("end ")) {
      isWhole = line === `end ${head.sequence} ${head.hash}`;
      if (!isWhole) throw bad("its end names another entry than its last");
      continue;
    }
    const json = decrypt(key, line, `${head.sequence + 1}`);
    if (json === null) {
      throw new Failure("no-key", `${path} is encrypted: give the --at-rest-key it was made with`);
    }
    let entry: Entry;
    try {
      entry = JSON.parse(json);
    } catch {
      throw bad(`line ${number} is none of its entries`);
    }
    const wrong = checkEntry(head, entry);
    if (wrong !== null) throw bad(wrong);
    head = { sequence: entry.sequence, hash: entry.hash };
    yield entry;
  }
  if (!isWhole) throw bad("its end is missing");
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw new Failure("bad-backup", `cannot read ${path}: ${(error as Error).message}`);
  }
  let rest = "";
  for await (const part of file.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
