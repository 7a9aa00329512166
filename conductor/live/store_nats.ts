import {
  DiscardPolicy,
  jetstream,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { Failure } from "../../core/errors.ts";
import { NATS_LEASE_TIMEOUT_MS, NATS_PATIENCE_MS, NATS_TIMEOUT_MS } from "../../core/limits.ts";
import { EMPTY_HEAD, type Entry, type Head, type Lease, type SharedStore } from "../../core/log.ts";
import { logger } from "../../core/live/log.ts";
import { RecentEntries } from "../leading/recent_entries.ts";
import type { NatsTarget } from "../leading/store_target.ts";
import {
  again,
  connectNats,
  isDefinite,
  isMissing,
  isUntaken,
  isWrongSequence,
  type NatsAccess,
  nothingIfMissing,
} from "./nats.ts";
import { NatsParts } from "./nats_parts.ts";
import { packEntry, unpackEntry } from "./packed_entry.ts";

/** Entries that are asked for at one time. */
const AT_ONCE = 64;

/**
 * The log in a JetStream stream: entry N is the stream's message N, and each is published under the
 * condition that the message before it is the last one, so of two writers one wins. What is too large
 * for a message, and the snapshot, stands in parts in a second stream, the lease in a third.
 *
 * An answer may be lost with a connection or a server. Then the same is published again, under the
 * same id and condition, until somebody can say what became of it.
 */
export class NatsStore implements SharedStore {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  /** For what is of no use late. */
  readonly #quick: JetStreamManager;
  readonly #client: JetStreamClient;
  readonly #parts: NatsParts;
  readonly #name: string;
  readonly #key: Uint8Array | null;
  readonly #patienceMs: number;
  readonly #recent = new RecentEntries();

  private constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    quick: JetStreamManager,
    name: string,
    key: Uint8Array | null,
    patienceMs: number,
  ) {
    this.#connection = connection;
    this.#patienceMs = patienceMs;
    this.#manager = manager;
    this.#quick = quick;
    this.#client = jetstream(connection, { timeout: NATS_TIMEOUT_MS });
    this.#parts = new NatsParts(manager, this.#client, name);
    this.#name = name;
    this.#key = key;
  }

  /**
   * Opens the log, or makes an empty one.
   *
   * @param key what entries are encrypted by; `null`: they are not
   * @throws {Failure} `store-unreachable` where no server answers; `store-failed`.
   */
  static async open(
    target: NatsTarget,
    key: Uint8Array | null = null,
    access: NatsAccess = {},
  ): Promise<NatsStore> {
    const connection = await connectNats(target, access);
    try {
      const manager = await again(
        () => jetstreamManager(connection, { timeout: NATS_TIMEOUT_MS }),
        NATS_PATIENCE_MS,
      );
      const { name, copies, maxBytes = -1 } = target;
      const common = {
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        num_replicas: copies,
        // What is full refuses what is new: an old entry is never dropped.
        discard: DiscardPolicy.New,
        max_bytes: maxBytes,
      };
      await ensureStream(manager, {
        ...common,
        name: logStream(name),
        subjects: [logSubject(name), endSubject(name)],
        deny_delete: true,
        deny_purge: true,
      });
      await ensureStream(manager, {
        ...common,
        name: NatsParts.stream(name),
        subjects: [`${name}.part.>`],
        max_msgs_per_subject: 1,
      });
      await ensureStream(manager, {
        ...common,
        name: leaseStream(name),
        subjects: [leaseSubject(name)],
        max_msgs_per_subject: 1,
      });
      const quick = await jetstreamManager(connection, {
        timeout: NATS_LEASE_TIMEOUT_MS,
        checkAPI: false,
      });
      return new NatsStore(
        connection,
        manager,
        quick,
        name,
        key,
        access.patienceMs ?? NATS_PATIENCE_MS,
      );
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async append(entry: Entry): Promise<void> {
    const packed = await this.#packed(entry);
    const until = performance.now() + this.#patienceMs;
    for (let taken = false;;) {
      try {
        await this.#client.publish(logSubject(this.#name), packed, {
          msgID: entry.hash,
          expect: { lastSequence: entry.sequence - 1 },
        });
        return this.#recent.note(entry);
      } catch (error) {
        if (isWrongSequence(error)) return await this.#whoseTurn(entry);
        if (isDefinite(error)) throw new Failure("store-failed", full(error.message));
        taken ||= !isUntaken(error);
        if (performance.now() < until && !this.#connection.isClosed()) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          continue;
        }
        const why = `the log's servers do not answer: ${(error as Error).message}`;
        throw new Failure(taken ? "store-unsure" : "store-failed", why, { cause: error });
      }
    }
  }

  /** Another entry stands where this one was to go, unless it is this one, after all. */
  async #whoseTurn(entry: Entry): Promise<void> {
    const head = await this.head();
    if (head.sequence < entry.sequence - 1) return await this.#mend(head, entry);
    const [there] = head.sequence < entry.sequence ? [] : await this.read(entry.sequence - 1, 1);
    if (there?.hash === entry.hash) return;
    throw new Failure(
      "store-conflict",
      `entry ${entry.sequence} cannot follow ${head.sequence}: another conductor writes this log`,
    );
  }

  /**
   * The log ends before what was acknowledged: its servers have lost that, as they can when one that
   * stood still is elected. It is written again as it was, each under the condition that nobody else
   * has gone on meanwhile.
   */
  async #mend(head: Head, entry: Entry): Promise<void> {
    const lost = this.#recent.between(head, entry);
    const [from, to] = [head.sequence + 1, entry.sequence - 1];
    const what = `the log's servers have lost the entries ${from} to ${to}`;
    if (!lost) {
      throw new Failure("store-conflict", `${what}, which were acknowledged: restore a backup`);
    }
    logger("store").error("{what}; they are written again", { what });
    try {
      for (const each of [...lost, entry]) {
        await this.#client.publish(logSubject(this.#name), await this.#packed(each), {
          expect: { lastSequence: each.sequence - 1 },
        });
        this.#recent.note(each);
      }
    } catch (error) {
      const why = `${what}, and they cannot be written again: ${(error as Error).message}`;
      throw new Failure("store-unsure", why, { cause: error });
    }
  }

  #packed(entry: Entry): Promise<string> {
    return packEntry(entry, this.#key, this.#parts);
  }

  async read(sequence: number, limit: number): Promise<Entry[]> {
    const last = Math.min(sequence + limit, await this.#last());
    const entries: Entry[] = [];
    for (let at = sequence + 1; at <= last; at += AT_ONCE) {
      const count = Math.min(AT_ONCE, last - at + 1);
      entries.push(
        ...await Promise.all(Array.from({ length: count }, (_, more) => this.#entry(at + more))),
      );
    }
    for (const entry of entries) this.#recent.note(entry);
    return entries;
  }

  async head(): Promise<Head> {
    const last = await this.#last();
    if (last === 0) return EMPTY_HEAD;
    const { sequence, hash } = await this.#entry(last);
    return { sequence, hash };
  }

  async saveSnapshot(head: Head, state: string): Promise<void> {
    await this.#parts.saveSnapshot(head, state, this.#key);
  }

  async loadSnapshot(): Promise<{ readonly head: Head; readonly state: string } | null> {
    return await this.#parts.loadSnapshot(this.#key);
  }

  async lease(): Promise<Lease | null> {
    const message = await again(
      () =>
        this.#quick.streams.getMessage(leaseStream(this.#name), {
          last_by_subj: leaseSubject(this.#name),
        }),
      NATS_LEASE_TIMEOUT_MS,
    ).catch(nothingIfMissing);
    if (message === null) return null;
    const text = message.string();
    return { revision: message.seq, holder: text === "" ? null : text };
  }

  async swapLease(revision: number, holder: string | null): Promise<number | null> {
    try {
      // The condition is on the whole stream, which has no other subject: where it is on a subject,
      // servers of a cluster (2.9) may let two writers of the first message both win.
      const { seq } = await this.#client.publish(leaseSubject(this.#name), holder ?? "", {
        expect: { lastSequence: revision },
        timeout: NATS_LEASE_TIMEOUT_MS,
      });
      return seq;
    } catch (error) {
      if (isWrongSequence(error)) return null;
      const code = isDefinite(error) || isUntaken(error) ? "store-failed" : "store-unsure";
      throw new Failure(code, `the lease cannot be written: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  watch(changed: () => void): Disposable {
    // A plain subscription hears of an entry when it is published, which is before it is kept: so
    // whoever is told looks twice. It comes back by itself after a lost connection.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = () => {
      clearTimeout(timer);
      changed();
      timer = setTimeout(changed, WATCH_AGAIN_MS);
    };
    const subscription = this.#connection.subscribe(logSubject(this.#name), { callback: tell });
    const regularly = setInterval(changed, WATCH_MS);
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        clearInterval(regularly);
        if (!this.#connection.isClosed()) subscription.unsubscribe();
      },
    };
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /**
   * How long the log is. What a server says of its stream may be old where it has just been elected;
   * so it is asked by an entry that cannot follow, whose refusal goes the way of all entries.
   */
  async #last(): Promise<number> {
    const expect = { lastSequence: Number.MAX_SAFE_INTEGER };
    return await again(async () => {
      try {
        await this.#client.publish(endSubject(this.#name), "", { expect });
      } catch (error) {
        if (!isWrongSequence(error)) throw error;
        const [, last] = /: ([0-9]+)$/.exec(error.message) ?? [];
        if (last !== undefined) return Number(last);
      }
      throw new Failure("store-failed", "the log's servers do not say how long the log is");
    }, this.#patienceMs);
  }

  /** An entry that is known to be there; a server that was just elected may not have it yet. */
  async #entry(sequence: number): Promise<Entry> {
    const until = performance.now() + this.#patienceMs;
    for (;;) {
      const message = await again(
        () => this.#manager.streams.getMessage(logStream(this.#name), { seq: sequence }),
        this.#patienceMs,
      ).catch(nothingIfMissing);
      if (message) return await unpackEntry(message.string(), sequence, this.#key, this.#parts);
      if (performance.now() >= until) {
        throw new Failure(
          "store-damaged",
          `the log is damaged: entry ${sequence} is not there; restore it from a backup`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** How soon after an entry was published it is looked for again, and how often in any case, ms. */
const WATCH_AGAIN_MS = 25;
const WATCH_MS = 500;

function logStream(name: string): string {
  return `${name}-log`;
}

function logSubject(name: string): string {
  return `${name}.log`;
}

/** What asks for the log's end is published here, and always refused: who watches does not hear it. */
function endSubject(name: string): string {
  return `${name}.log-end`;
}

function leaseStream(name: string): string {
  return `${name}-lease`;
}

function leaseSubject(name: string): string {
  return `${name}.lease`;
}

function full(why: string): string {
  return `the log's servers refuse the entry: ${why}; make room there (nats stream info), or allow ` +
    "the stream more";
}

type StreamWanted = Parameters<JetStreamManager["streams"]["add"]>[0] & { readonly name: string };

/** Makes the stream where there is none; one that is there stays as it is. */
async function ensureStream(manager: JetStreamManager, wanted: StreamWanted): Promise<void> {
  await again(async () => {
    const { streams } = manager;
    try {
      await streams.info(wanted.name);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await streams.add(wanted);
    }
  }, NATS_PATIENCE_MS);
}
