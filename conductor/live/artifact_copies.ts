// Artifacts on every conductor, not only on the one that they were uploaded to: whoever leads next
// must have what is to be deployed.

import {
  ARTIFACT_COPY_MS,
  ARTIFACT_PART_BYTES,
  ARTIFACT_RECENT_LOOK_MS,
  STANDBY_REPORT_MS,
} from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { Announced } from "../artifacts.ts";
import type { ArtifactStore } from "./artifacts.ts";

/** Asks somebody who may have artifacts; the paths are the same at all. */
export type Source = (
  path: string,
  init: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
) => Promise<Response>;

export interface CopyParts {
  readonly store: ArtifactStore;
  announced(sha256: string): Announced | undefined;
  wanted(): ReadonlySet<string>;
  /** What was announced lately, and may be named at any moment. */
  recent(): readonly string[];
  /** Who may have it, in the order in which they are asked. */
  sources(sha256: string): readonly Source[];
  /** Tells whoever leads what is whole here. */
  report(has: readonly string[]): Promise<void>;
}

export class ArtifactCopies implements Disposable {
  readonly #parts: CopyParts;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #stop = new AbortController();
  /** What is whole here, as was seen last. */
  #has: ReadonlySet<string> = new Set();
  #lookedMs = -Infinity;
  #busy = false;
  #reporting = false;

  constructor(parts: CopyParts) {
    this.#parts = parts;
    this.#timers = [
      setInterval(() => void this.#lookIfDue(), ARTIFACT_RECENT_LOOK_MS),
      setInterval(() => void this.#report(), STANDBY_REPORT_MS),
    ];
    for (const timer of this.#timers) Deno.unrefTimer(timer);
  }

  /** What has just been announced is looked for more often than the rest. */
  async #lookIfDue(): Promise<void> {
    const isDue = performance.now() - this.#lookedMs >= ARTIFACT_COPY_MS;
    if (isDue || this.#parts.recent().some((sha256) => !this.#has.has(sha256))) await this.look();
  }

  /** Fetches what is wanted and missing, one after another. */
  async look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#lookedMs = performance.now();
    const has = new Set<string>();
    try {
      for (const sha256 of new Set([...this.#parts.recent(), ...this.#parts.wanted()])) {
        const isHere = await this.#copy(sha256);
        if (!isHere) continue;
        has.add(sha256);
        if (this.#has.has(sha256)) continue;
        // Somebody waits for it: it is told before the next one is looked for.
        this.#has = new Set([...this.#has, sha256]);
        await this.#report();
      }
      this.#has = has;
    } finally {
      this.#busy = false;
    }
  }

  /** Says whether it is here by now. */
  async #copy(sha256: string): Promise<boolean> {
    const announced = this.#parts.announced(sha256);
    if (!announced) return false;
    if (await this.#offset(sha256) === null) return true;
    for (const ask of this.#parts.sources(sha256)) {
      if (await this.#fetch(sha256, announced, ask)) return true;
    }
    return false;
  }

  async #report(): Promise<void> {
    if (this.#reporting) return;
    this.#reporting = true;
    try {
      await this.#parts.report([...this.#has]);
    } catch (error) {
      logger("artifacts").debug("whoever leads is not told: {error}", {
        error: (error as Error).message,
      });
    } finally {
      this.#reporting = false;
    }
  }

  /** How much of it is here; `null`: all. */
  async #offset(sha256: string): Promise<number | null> {
    const response = await this.#store("HEAD", sha256, 0);
    return response.status === 200 ? null : Number(response.headers.get("skr8tr-offset"));
  }

  #store(method: string, sha256: string, offset: number, id = "", body?: Uint8Array<ArrayBuffer>) {
    const url = new URL(`http://localhost/artifacts/${sha256}?offset=${offset}`);
    const request = new Request(url, {
      method,
      headers: { "skr8tr-upload": id },
      ...(body ? { body } : {}),
    });
    return this.#parts.store.answer(request, sha256, url);
  }

  /** Says whether all of it is here now. Only what has its digest is ever kept as whole. */
  async #fetch(
    sha256: string,
    { id }: Announced,
    ask: Source,
  ): Promise<boolean> {
    try {
      for (let offset = await this.#offset(sha256); offset !== null;) {
        const headers = { range: `bytes=${offset}-` };
        const response = await ask(`/artifacts/${sha256}`, { headers, signal: this.#stop.signal });
        if (!response.ok) {
          await response.body?.cancel();
          return false;
        }
        for await (
          const part of partsOf(response, offset > 0 && response.status !== 206 ? offset : 0)
        ) {
          const kept = await this.#store("POST", sha256, offset, id, part);
          if (!kept.ok) return false;
          offset += part.length;
        }
        const left = await this.#offset(sha256);
        if (left !== null && left < offset) return false;
        offset = left ?? 0;
        if (left === null) break;
      }
      logger("artifacts").info("{sha256} is here, too", { sha256: sha256.slice(0, 12) });
      return true;
    } catch (error) {
      logger("artifacts").debug("{sha256} cannot be copied: {error}", {
        sha256,
        error: (error as Error).message,
      });
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#stop.abort();
  }
}

/** A body in parts of the size that the store takes, without its first `skip` bytes. */
async function* partsOf(response: Response, skip: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let gathered = new Uint8Array(ARTIFACT_PART_BYTES);
  let size = 0;
  for await (let bytes of response.body ?? []) {
    const less = Math.min(skip, bytes.length);
    skip -= less;
    bytes = bytes.subarray(less);
    while (bytes.length > 0) {
      const count = Math.min(bytes.length, gathered.length - size);
      gathered.set(bytes.subarray(0, count), size);
      size += count;
      bytes = bytes.subarray(count);
      if (size < gathered.length) continue;
      yield gathered;
      gathered = new Uint8Array(ARTIFACT_PART_BYTES);
      size = 0;
    }
  }
  if (size > 0) yield gathered.slice(0, size);
}
