// Statuses on their way to the conductor: each is repeated until it is acknowledged.

import {
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  STATUS_REASON_BYTES,
  STATUS_TAIL_BYTES,
  STEADY_DATAGRAM_BYTES,
} from "../core/limits.ts";
import type { Exit, ReplicaStatus } from "../core/mesh.ts";
import { cutEnd, cutStart, plainText, utf8Bytes } from "./text.ts";

/** Replicas whose latest status the conductor has not acknowledged. */
export class StatusOutbox {
  readonly #waiting = new Map<string, { nextMs: number; waitMs: number }>();

  get dueMs(): number {
    let due = Infinity;
    for (const { nextMs } of this.#waiting.values()) due = Math.min(due, nextMs);
    return due;
  }

  /** The replica's status has changed. */
  add(replica: string, nowMs: number): void {
    this.#waiting.set(replica, { nextMs: nowMs, waitMs: RETRY_MIN_MS });
  }

  remove(replica: string): void {
    this.#waiting.delete(replica);
  }

  /** The replicas whose status is to be sent (again) now. */
  take(nowMs: number): string[] {
    const due: string[] = [];
    for (const [replica, waiting] of this.#waiting) {
      if (nowMs < waiting.nextMs) continue;
      due.push(replica);
      waiting.nextMs = nowMs + waiting.waitMs;
      waiting.waitMs = Math.min(RETRY_MAX_MS, waiting.waitMs * 2);
    }
    return due;
  }
}

/** Texts of a status, cut so that its datagram stays a steady one. */
export function fitExit(exit: Exit): Exit {
  const { tail, ...rest } = exit;
  if (tail === undefined || tail === "") return rest;
  return { ...rest, tail: cutStart(plainText(tail), STATUS_TAIL_BYTES) };
}

export function fitReason(reason: string): string {
  return cutEnd(plainText(reason), STATUS_REASON_BYTES);
}

/** A report's pages: every status, each page a steady datagram. */
export function reportPages(statuses: readonly ReplicaStatus[]): ReplicaStatus[][] {
  const room = STEADY_DATAGRAM_BYTES - 220;
  const pages: ReplicaStatus[][] = [[]];
  let used = 0;
  for (const status of statuses) {
    const size = utf8Bytes(JSON.stringify(status)) + 1;
    if (used > 0 && (used + size > room || pages.at(-1)!.length === 64)) {
      pages.push([]);
      used = 0;
    }
    pages.at(-1)!.push(status);
    used += size;
  }
  return pages;
}
