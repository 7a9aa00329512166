// The log as nodes follow it: each node keeps a copy of every signed command.

import type { Checkpoint } from "../../core/audit.ts";
import { genesisOf, linkOf } from "../../core/chain.ts";
import {
  EMPTY_HEAD,
  type Entry,
  logNameOf,
  type LogStore,
  type SignedRecord,
} from "../../core/log.ts";
import { type FollowerMessage, followerShape, type FollowMessage } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { logger } from "../../core/live/log.ts";

/** Answers what a node asks on its stream. */
export type Ask = (message: FollowerMessage) => Promise<FollowMessage>;

/** Entries kept in memory, so that a commit is not read from disk once per node. */
const RECENT = 256;

export class Followers {
  readonly #store: LogStore;
  readonly #wake = new Set<() => void>();
  readonly #recent: Entry[] = [];
  readonly #senders = new Set<(message: FollowMessage) => void>();
  #checkpoint: Checkpoint | null = null;
  #log: string;
  /** Links of commands whose entries do not have them: of an old log. */
  #links: Promise<ReadonlyMap<number, string>> | null = null;

  /** @param log the log's name; empty where it has no entry yet */
  constructor(store: LogStore, log: string) {
    this.#store = store;
    this.#log = log;
  }

  /** What the conductor has signed about its log: kept by the nodes. */
  checkpoint(checkpoint: Checkpoint): void {
    this.#checkpoint = checkpoint;
    for (const send of this.#senders) send({ k: "checkpoint", ...checkpoint });
  }

  /** A new entry is durable. */
  push(entry: Entry): void {
    if (entry.sequence === 1) this.#log = logNameOf(entry);
    this.#recent.push(entry);
    if (this.#recent.length > RECENT) this.#recent.shift();
    for (const wake of this.#wake) wake();
  }

  /**
   * Sends everything after `from`, then what comes, until the socket closes.
   *
   * @param ask answers what the node asks on the same stream
   * @param last the last signed command that the node has: the chain's end there is compared
   */
  serve(socket: WebSocket, from: number, last: number, ask?: Ask): void {
    let wake = Promise.withResolvers<void>();
    const alarm = () => wake.resolve();
    const send = (message: FollowMessage) => socket.send(JSON.stringify(message));
    const loop = async () => {
      let next = from;
      let chain: string | undefined;
      let named = false;
      while (socket.readyState === WebSocket.OPEN) {
        wake = Promise.withResolvers();
        if (!named && this.#log !== "") {
          named = true;
          send({ k: "log", log: this.#log });
          if (this.#checkpoint) send({ k: "checkpoint", ...this.#checkpoint });
          chain = await this.#chainAt(last);
        }
        const entries = named ? await this.#after(next) : [];
        for (const entry of entries) {
          const record = await this.#recordOf(entry);
          if (record) {
            send({ k: "record", ...record });
            chain = record.chain;
          }
          next = entry.sequence;
        }
        if (entries.length > 0) continue;
        if (named) send({ k: "head", sequence: next, ...(chain === undefined ? {} : { chain }) });
        await wake.promise;
      }
    };
    socket.onopen = () => {
      this.#wake.add(alarm);
      this.#senders.add(send);
      loop().catch((error) => {
        logger("follow").warn("a node's copy of the log broke off: {error}", {
          error: String(error),
        });
        socket.close();
      });
    };
    socket.onmessage = async ({ data }) => {
      const message = typeof data === "string" ? parseShaped(followerShape, data) : null;
      if (!message || !ask) return;
      const answer = await ask(message);
      if (socket.readyState === WebSocket.OPEN) send(answer);
    };
    socket.onclose = () => {
      this.#wake.delete(alarm);
      this.#senders.delete(send);
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

  /** The chain's end after the signed command at this sequence; nothing where there is none. */
  async #chainAt(sequence: number): Promise<string | undefined> {
    if (sequence === 0) return genesisOf(this.#log);
    const [entry] = await this.#store.read(sequence - 1, 1);
    return entry && (await this.#recordOf(entry))?.chain;
  }

  async #recordOf(
    entry: Entry,
  ): Promise<Omit<Extract<FollowMessage, { k: "record" }>, "k"> | null> {
    const { body, sequence } = entry;
    if (body.kind !== "command") return null;
    const { text, signatureHex, key } = body.signed;
    const { manifest } = body;
    const chain = body.chain ?? (await this.#oldLinks()).get(sequence);
    return {
      sequence,
      text,
      signatureHex,
      key,
      ...(manifest === undefined ? {} : { manifest }),
      ...(chain === undefined ? {} : { chain }),
    };
  }

  #oldLinks(): Promise<ReadonlyMap<number, string>> {
    return this.#links ??= linkAll(this.#store, this.#log);
  }
}

/** The links of all commands whose entries do not say them. */
async function linkAll(store: LogStore, log: string): Promise<ReadonlyMap<number, string>> {
  const links = new Map<number, string>();
  let chain = genesisOf(log);
  for (let { sequence } = EMPTY_HEAD;;) {
    const entries = await store.read(sequence, 500);
    for (const { sequence, body } of entries) {
      if (body.kind !== "command") continue;
      chain = linkOf(chain, { sequence, ...body.signed, manifest: body.manifest });
      if (body.chain === undefined) links.set(sequence, chain);
    }
    if (entries.length < 500) return links;
    sequence = entries.at(-1)!.sequence;
  }
}
