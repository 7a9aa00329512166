// What apps of the virtual world bring along: contents with their digests, sent part by part.

import { sha256Hex } from "../../core/bytes.ts";
import { ARTIFACT_STALL_MS } from "../../core/limits.ts";
import type { Daemon } from "./daemon.ts";
import type { Stream } from "./network.ts";

/** One content that apps may bring; all are of the same length. */
export interface Cargo {
  readonly content: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** How many contents there are. */
export const CARGOS = 4;
/** Characters that are sent at once, of a content and of an empty rest. */
export const PART = 16;

const KNOWN = Array.from({ length: CARGOS }, (_, index): Cargo => {
  const content = `the program of cargo ${index + 1}\n`.padEnd(4 * PART, "=");
  return { content, sha256: sha256Hex(content), bytes: content.length };
});

/** The content of this number, from 1 on, counted around. */
export function cargoOf(number: number): Cargo {
  return KNOWN[(number - 1) % CARGOS]!;
}

/** Why nothing (more) came; `null`: everything did. */
export interface Ending {
  readonly reason: string | null;
  /** Who may have it, as `host:port`. */
  readonly holders?: readonly string[];
}

/** A daemon that sends what it has. */
export interface Supplier extends Daemon {
  /** Answers over this stream, in its own time. */
  supply(stream: Stream, sha256: string, offset: number): void;
}

type Message = { readonly part: string } | { readonly end: Ending };

function say(stream: Stream, message: Message): void {
  stream.toClient(JSON.stringify(message));
}

export function refuse(stream: Stream, reason: string, holders?: readonly string[]): void {
  say(stream, { end: { reason, ...(holders ? { holders } : {}) } });
}

/** Sends a content from an offset on; some senders are slow, and some connections break off. */
export function sendParts(
  sender: Daemon,
  stream: Stream,
  content: string,
  offset: number,
  done: () => void = () => {},
): void {
  const { prng, network: { weather } } = sender.ground;
  const slow = weather.loss > 0 && prng.next() < 0.1 ? 20 : 1;
  let isOver = false;
  const end = () => {
    if (!isOver) done();
    isOver = true;
  };
  stream.onServerLost = end;
  const next = (at: number) => {
    if (isOver) return;
    if (at >= content.length) {
      say(stream, { end: { reason: null } });
      return end();
    }
    if (prng.next() < weather.loss / 5) return stream.break();
    say(stream, { part: content.slice(at, at + PART) });
    sender.later(1 + prng.next() * weather.delayMs * slow, () => next(at + PART));
  };
  next(offset);
}

/** What is done with what comes; an ending that is not the sender's own has a reason of ours. */
export interface Receiver {
  part(text: string): void;
  end(ending: Ending): void;
}

/**
 * Asks for a content from an offset on. The end is told once, unless the asking daemon dies before.
 *
 * @param source nobody: there is no such host
 */
export function receive(
  asker: Daemon,
  source: Supplier | undefined,
  { sha256, offset }: { readonly sha256: string; readonly offset: number },
  receiver: Receiver,
): void {
  const { network, timeline } = asker.ground;
  const start = asker.startedMs;
  const isThere = () => asker.up && asker.startedMs === start;
  const stream = source?.up ? network.stream(asker.host, source.host) : null;
  if (!stream || !source) return asker.later(1, () => receiver.end({ reason: "no connection" }));
  let isOver = false;
  let heardMs = timeline.nowMs;
  const end = (ending: Ending) => {
    if (isOver) return;
    isOver = true;
    stream.break();
    if (isThere()) asker.enter(() => receiver.end(ending));
  };
  stream.onClientLost = () => end({ reason: "it broke off" });
  stream.onClient = (text) => {
    heardMs = timeline.nowMs;
    const message = JSON.parse(text) as Message;
    if ("end" in message) end(message.end);
    else if (isThere()) asker.enter(() => isOver || receiver.part(message.part));
  };
  const watch = () =>
    asker.later(ARTIFACT_STALL_MS / 4, () => {
      if (isOver) return;
      if (timeline.nowMs - heardMs < ARTIFACT_STALL_MS) watch();
      else end({ reason: "it sends nothing" });
    });
  watch();
  timeline.after(1, () => source.enter(() => source.supply(stream, sha256, offset)));
}
