// The node's state folder.
//
//   node.id            the node's identity, 32 hex characters
//   boot               when its last start counts as begun, Unix ms
//   daemon.lock        locked while a daemon uses the folder
//   records.jsonl      its copy of the log's signed commands, and log.id: of which log
//   beside/<pid>       what runs beside a replica for an operator's stream
//   requests.done      signed requests that it did within the last minute
//   tombstones.jsonl   finished ids that had no state here
//   replicas/<id>/     replica.json, and what the launcher keeps: lock, fence, pid, exit, log
//   secret.key         what secrets are sealed to for this node; secrets/<id>/: a replica's
//   volumes/           relative volumes

import { Failure } from "../../core/errors.ts";
import type { Checkpoint } from "../../core/audit.ts";
import { CHECKPOINTS, FINISHED_KEEP, FINISHED_KEEP_MS, TOMBSTONE_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { randomHex } from "../../core/live/clock.ts";
import { followShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { bootOf } from "../boots.ts";
import { LOG_STREAMS } from "../logs.ts";
import type { LogRecord } from "../records.ts";
import { formatSaved, parseSaved, type SavedReplica } from "../saved.ts";

const log = () => logger("files");

export class NodeFiles {
  readonly #lock: Deno.FsFile;
  /** Replicas whose folders exist. */
  readonly #made = new Set<string>();
  /** Records that the disk has not taken yet, oldest first. */
  readonly #unkept: LogRecord[] = [];
  readonly node: string;
  /** The folder was made just now: nothing was ever done in it. */
  isFresh = false;

  /**
   * Opens a state folder, making it where it is missing.
   *
   * @param folder absolute
   * @throws {Failure} `state-taken` if another daemon uses it, `state-damaged`, `state-unwritable`.
   */
  constructor(readonly folder: string) {
    try {
      Deno.mkdirSync(`${folder}/replicas`, { recursive: true, mode: 0o711 });
      this.#lock = Deno.openSync(`${folder}/daemon.lock`, { write: true, create: true });
    } catch (error) {
      throw new Failure(
        "state-unwritable",
        `cannot use the state folder ${folder}: ${(error as Error).message}`,
      );
    }
    if (!this.#lock.tryLockSync(true)) {
      this.#lock.close();
      throw new Failure(
        "state-taken",
        `another node daemon uses the state folder ${folder}; stop it, or choose another --state`,
      );
    }
    try {
      this.node = this.#identity();
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  #identity(): string {
    const path = `${this.folder}/node.id`;
    const known = readText(path)?.trim();
    if (known === undefined) {
      const fresh = randomHex(32);
      writeAtomic(path, `${fresh}\n`);
      this.isFresh = true;
      return fresh;
    }
    if (/^[0-9a-f]{32}$/.test(known)) return known;
    throw new Failure(
      "state-damaged",
      `${path} does not hold a node's identity; restore it, or remove it to join as a new node`,
    );
  }

  /**
   * When this start of the daemon counts as begun, in Unix ms (`bootOf()` in node/boots.ts). On a disk
   * that does not take it, it holds for this start, and the next one may be taken for an earlier one.
   */
  beginBoot(wallMs: number): number {
    const path = `${this.folder}/boot`;
    const known = Number(readText(path)?.trim() || NaN);
    const bootMs = bootOf(wallMs, Number.isSafeInteger(known) ? known : null);
    try {
      writeAtomic(path, `${bootMs}\n`);
    } catch (error) {
      log().warn("cannot keep when this daemon was started: {error}", { error: String(error) });
    }
    return bootMs;
  }

  close(): void {
    this.#lock.close();
  }

  folderOf(replica: string): string {
    return `${this.folder}/replicas/${replica}`;
  }

  hasLog(replica: string): boolean {
    try {
      return Deno.statSync(`${this.folderOf(replica)}/log`).isFile;
    } catch {
      return false;
    }
  }

  // ---- Replicas -----------------------------------------------------------------------------------

  /** Keeps a replica's state: the old file or the new one is there, never a part of one. */
  save(saved: SavedReplica): void {
    const folder = this.folderOf(saved.replica);
    if (!this.#made.has(saved.replica)) {
      // Other accounts may pass through to a `home` that was given to them, and see nothing else.
      Deno.mkdirSync(folder, { recursive: true, mode: 0o711 });
      Deno.mkdirSync(`${folder}/home`, { recursive: true, mode: 0o700 });
      for (const [, file] of LOG_STREAMS) {
        Deno.openSync(`${folder}/${file}`, { append: true, create: true, mode: 0o600 }).close();
      }
      this.#made.add(saved.replica);
    }
    if (saved.dropped) this.#made.delete(saved.replica);
    writeAtomic(`${folder}/replica.json`, formatSaved(saved));
  }

  /**
   * Every replica with a readable state. A damaged one is reported and set aside, with its folder;
   * what it ran is found by its lock and comes back as `damaged`.
   */
  load(): { readonly replicas: SavedReplica[]; readonly damaged: string[] } {
    const replicas: SavedReplica[] = [];
    const damaged: string[] = [];
    for (const entry of Deno.readDirSync(`${this.folder}/replicas`)) {
      if (!entry.isDirectory) continue;
      const folder = this.folderOf(entry.name);
      const text = readText(`${folder}/replica.json`);
      const saved = text === undefined ? null : parseSaved(text);
      if (saved && saved.replica === entry.name) replicas.push(saved);
      // A daemon that died before it had saved a new replica leaves a folder without anything.
      else if (text === undefined && !exists(`${folder}/lock`)) this.remove(entry.name);
      else if (text !== undefined || !exists(`${folder}/replica.json.damaged`)) {
        damaged.push(entry.name);
      }
    }
    return { replicas, damaged };
  }

  /** Removes folders of replicas that are long finished; their ids are remembered long enough. */
  prune(replicas: readonly SavedReplica[], nowMs: number): void {
    const finished = replicas.filter((each) => each.dropped)
      .sort((a, b) => b.sinceWallMs - a.sinceWallMs);
    finished.forEach((each, rank) => {
      const ageMs = nowMs - each.sinceWallMs;
      if (ageMs > FINISHED_KEEP_MS || (rank >= FINISHED_KEEP && ageMs > TOMBSTONE_MS)) {
        this.remove(each.replica);
      }
    });
  }

  remove(replica: string): void {
    try {
      Deno.removeSync(this.folderOf(replica), { recursive: true });
    } catch (error) {
      log().warn("cannot remove the folder of {replica}: {error}", { replica, error });
    }
  }

  // ---- Records and tombstones ----------------------------------------------------------------------

  /**
   * Keeps a record behind those that came before it. What the disk has no room for is kept with the
   * next one: the copy has no gaps, since after a restart the log is followed from its end.
   */
  keepRecord(record: LogRecord): void {
    this.#unkept.push(record);
    for (let next; (next = this.#unkept[0]);) {
      append(`${this.folder}/records.jsonl`, JSON.stringify({ k: "record", ...next }));
      this.#unkept.shift();
    }
  }

  /** The copy of the log; from the first damaged line on it is fetched from the conductor again. */
  loadRecords(): LogRecord[] {
    const path = `${this.folder}/records.jsonl`;
    const lines = (readText(path) ?? "").split("\n");
    const records: LogRecord[] = [];
    for (const [index, line] of lines.entries()) {
      const message = line === "" ? null : parseShaped(followShape, line);
      const whole = index < lines.length - 1;
      if (message?.k === "record" && whole) {
        const { k: _, ...record } = message;
        records.push(record);
      } else if (line !== "") {
        log().error("{path} is damaged at line {line}: what follows is fetched again", {
          path,
          line: index + 1,
        });
        writeAtomic(path, lines.slice(0, index).map((each) => `${each}\n`).join(""));
        break;
      }
    }
    return records;
  }

  /** The log that the records are of; `undefined` where it was never named. */
  loadLog(): string | undefined {
    const log = readText(`${this.folder}/log.id`)?.trim();
    return log === undefined || !/^[0-9a-f]{64}$/.test(log) ? undefined : log;
  }

  keepLog(log: string): void {
    writeAtomic(`${this.folder}/log.id`, `${log}\n`);
  }

  /** Keeps what the conductor has signed about its log; of very many the newest. */
  keepCheckpoint(checkpoint: Checkpoint): void {
    const path = `${this.folder}/checkpoints.jsonl`;
    append(path, JSON.stringify({ k: "checkpoint", ...checkpoint }));
    const lines = (readText(path) ?? "").split("\n");
    if (lines.length > 2 * CHECKPOINTS) writeAtomic(path, lines.slice(-CHECKPOINTS).join("\n"));
  }

  loadCheckpoints(): Checkpoint[] {
    const lines = (readText(`${this.folder}/checkpoints.jsonl`) ?? "").split("\n");
    return lines.flatMap((line) => {
      const message = line === "" ? null : parseShaped(followShape, line);
      if (message?.k !== "checkpoint") return [];
      const { k: _, ...checkpoint } = message;
      return [checkpoint];
    });
  }

  /** Gives the copy of the log up: another will be followed from its beginning. */
  forgetLog(): void {
    for (const name of ["log.id", "records.jsonl", "checkpoints.jsonl"]) {
      try {
        Deno.renameSync(`${this.folder}/${name}`, `${this.folder}/${name}.old`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  keepTombstone(replica: string, wallMs: number): void {
    append(`${this.folder}/tombstones.jsonl`, JSON.stringify([replica, wallMs]));
  }

  loadTombstones(nowMs: number): [string, number][] {
    const path = `${this.folder}/tombstones.jsonl`;
    const kept: [string, number][] = [];
    for (const line of (readText(path) ?? "").split("\n")) {
      const [replica, wallMs] = parseLine(line);
      if (typeof replica !== "string" || typeof wallMs !== "number") continue;
      if (nowMs - wallMs < TOMBSTONE_MS) kept.push([replica, wallMs]);
    }
    writeAtomic(path, kept.map((each) => `${JSON.stringify(each)}\n`).join(""));
    return kept;
  }
}

function parseLine(line: string): unknown[] {
  try {
    const value = JSON.parse(line);
    return Array.isArray(value) ? value : [];
  } catch {
    // A torn last line: the conductor repeats its order.
    return [];
  }
}

/** Appends one line. Where a write was torn, loading finds it and everything after it. */
function append(path: string, line: string): void {
  using file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  writeAll(file, `${line}\n`);
}

/** Replaces a file as a whole. Not synced to the disk: after a power cut no program runs anyway. */
export function writeAtomic(path: string, text: string): void {
  const temporary = `${path}.new`;
  {
    using file = Deno.openSync(temporary, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    writeAll(file, text);
  }
  Deno.renameSync(temporary, path);
}

function writeAll(file: Deno.FsFile, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The text of a file; `undefined` where there is none. */
export function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
