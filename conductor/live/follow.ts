// The log as nodes follow it: each node keeps a copy of every signed command.

import type { Entry, LogStore, SignedRecord } from "../../core/log.ts";
import type { FollowMessage } from "../../core/mesh.ts";
import { logger } from "../../core/live/log.ts";

/** Entries kept in memory, so that a commit is not read from disk once per node. */
const RECENT = 256;

export class Followers {
  readonly #store: LogStore;
  readonly #wake = new Set<() => void>();
  readonly #recent: Entry[] = [];

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** A new entry is durable. */
  push(entry: Entry): void {
    this.#recent.push(entry);
    if (this.#recent.length > RECENT) this.#recent.shift();
    for (const wake of this.#wake) wake();
  }

  /** Sends everything after `from`, then what comes, until the socket closes. */
  serve(socket: WebSocket, from: number): void {
    let wake = Promise.withResolvers<void>();
    const alarm = () => wake.resolve();
    const send = (message: FollowMessage) => socket.send(JSON.stringify(message));
    const loop = async () => {
      let next = from;
      while (socket.readyState === WebSocket.OPEN) {
        wake = Promise.withResolvers();
        const entries = await this.#after(next);
        for (const entry of entries) {
          const record = recordOf(entry);
          if (record) send(record);
          next = entry.sequence;
        }
        if (entries.length > 0) continue;
        send({ k: "head", sequence: next });
        await wake.promise;
      }
    };
    socket.onopen = () => {
      this.#wake.add(alarm);
      loop().catch((error) => {
        logger("follow").warn("a node's copy of the log broke off: {error}", {
          error: String(error),
        });
        socket.close();
      });
    };
    socket.onclose = () => {
      this.#wake.delete(alarm);
      alarm();
    };
    socket.onerror = () => {};
  }

  /** What was signed at this place of the log; `undefined` where nothing was. */
  async record(sequence: number): Promise<SignedRecord | undefined> {
    const [entry] = await this.#store.read(sequence - 1, 1);
    return entry?.sequence === sequence && entry.body.kind === "command"
      ? entry.body.signed
      : undefined;
  }

  async #after(sequence: number): Promise<readonly Entry[]> {
    const first = this.#recent[0]?.sequence;
    if (first !== undefined && first <= sequence + 1) {
      return this.#recent.slice(sequence + 1 - first);
    }
    return await this.#store.read(sequence, 200);
  }
}

function recordOf(entry: Entry): FollowMessage | null {
  const { body, sequence } = entry;
  if (body.kind !== "command") return null;
  const { text, signatureHex, key } = body.signed;
  const { manifest } = body;
  return {
    k: "record",
    sequence,
    text,
    signatureHex,
    key,
    ...(manifest === undefined ? {} : { manifest }),
  };
}
