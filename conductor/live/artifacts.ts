// The conductor's store of artifacts: files named by their SHA-256, filled part by part by the CLI
// and read by nodes.

import { createHash, type Hash } from "node:crypto";
import { ARTIFACT_PART_BYTES, ARTIFACT_PART_MS, ARTIFACT_STORE_BYTES } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { type Announced, sendTurn } from "../artifacts.ts";

const log = () => logger("artifacts");
const DIGEST = /^[0-9a-f]{64}$/;
/** How often a node that waits its turn is looked at again, ms. */
const TURN_LOOK_MS = 100;
/** So much of a file is read at once, in bytes. */
const READ_BYTES = 262_144;

/** What the store needs to know of the log. */
export interface ArtifactLog {
  announced(sha256: string): Announced | undefined;
  /** Digests that some generation names. */
  wanted(): ReadonlySet<string>;
  /** `host:port` of nodes that have it. */
  holders(sha256: string): readonly string[];
  /** Of several conductors: how many others have it, and how many are heard (`null`: unknown yet). */
  copies?(sha256: string): { readonly have: number; readonly heard: number | null };
}

interface Part {
  hash: Hash;
  offset: number;
  /** A request is writing to it. */
  busy: boolean;
}

/**
 * `GET /artifacts/<sha256>` sends it, with a range where one is asked for;
 * `HEAD` says whether it is here, in `skr8tr-offset` how much of it, and of several conductors in
 * `skr8tr-copies` how many others have it of how many that are heard: `1/2`, `0/?` while that is
 * not known;
 * `POST /artifacts/<sha256>?offset=N`, with the id of the signed UPLOAD in `skr8tr-upload`, appends
 * a part. Both answer `{ offset, complete }`, or `{ error }`.
 */
export class ArtifactStore {
  readonly #parts = new Map<string, Part>();
  /** Digest -> sends of it that are under way. */
  readonly #sending = new Map<string, number>();
  #waiting = 0;

  /** @param folder made when the first artifact comes */
  constructor(private readonly folder: string, private readonly known: ArtifactLog) {}

  async answer(request: Request, sha256: string, url: URL): Promise<Response> {
    if (!DIGEST.test(sha256)) return fail(404, "an artifact is named by its SHA-256 in hex");
    switch (request.method) {
      case "HEAD":
        return await this.#head(sha256);
      case "GET":
        return await this.#send(request, sha256);
      case "POST":
        return await this.#append(request, sha256, Number(url.searchParams.get("offset")));
      default:
        return fail(405, "only GET, HEAD and POST");
    }
  }

  #path(sha256: string): string {
    return `${this.folder}/${sha256}`;
  }

  async #size(path: string): Promise<number | null> {
    try {
      return (await Deno.stat(path)).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  async #head(sha256: string): Promise<Response> {
    // Without an announcement in this log it cannot be deployed, whatever lies on the disk.
    const size = this.known.announced(sha256) ? await this.#size(this.#path(sha256)) : null;
    const offset = size ?? await this.#size(`${this.#path(sha256)}.part`) ?? 0;
    const { have, heard } = this.known.copies?.(sha256) ?? {};
    const headers = {
      "skr8tr-offset": String(offset),
      ...(have === undefined ? {} : { "skr8tr-copies": `${have}/${heard ?? "?"}` }),
    };
    return new Response(null, { status: size === null ? 404 : 200, headers });
  }

  async #send(request: Request, sha256: string): Promise<Response> {
    const size = await this.#size(this.#path(sha256));
    if (size === null) return fail(404, `artifact ${sha256} is not here`);
    const done = await this.#turn(sha256);
    if (done === null) {
      const busy = { error: "busy with others", holders: this.known.holders(sha256) };
      return Response.json(busy, { status: 503, headers: { "retry-after": "1" } });
    }
    try {
      return await this.#sendFrom(request, sha256, size, done);
    } catch (error) {
      done();
      throw error;
    }
  }

  /** Waits for the turn of one who asks; what ends it, or `null` where others are to be asked. */
  async #turn(sha256: string): Promise<(() => void) | null> {
    const beganMs = performance.now();
    const turn = () =>
      sendTurn({
        all: this.#sending.values().reduce((sum, each) => sum + each, 0),
        ofThis: this.#sending.get(sha256) ?? 0,
        waiting: this.#waiting,
        holders: () => this.known.holders(sha256).length,
        waitedMs: performance.now() - beganMs,
      });
    let found = turn();
    while (found === "wait") {
      this.#waiting++;
      await new Promise((resolve) => setTimeout(resolve, TURN_LOOK_MS));
      this.#waiting--;
      found = turn();
    }
    return found === "send" ? this.#begin(sha256) : null;
  }

  /** Counts a send that begins; what ends it. */
  #begin(sha256: string): () => void {
    this.#sending.set(sha256, (this.#sending.get(sha256) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.#sending.get(sha256)! - 1;
      if (left > 0) this.#sending.set(sha256, left);
      else this.#sending.delete(sha256);
    };
  }

  async #sendFrom(
    request: Request,
    sha256: string,
    size: number,
    done: () => void,
  ): Promise<Response> {
    const from = Number(
      /^bytes=([0-9]{1,15})-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0,
    );
    if (from > size) {
      done();
      return fail(416, `it has ${size} bytes`);
    }
    const file = await Deno.open(this.#path(sha256));
    if (from > 0) await file.seek(from, Deno.SeekMode.Start);
    const headers = {
      "content-type": "application/octet-stream",
      "content-length": String(size - from),
      ...(from > 0 ? { "content-range": `bytes ${from}-${size - 1}/${size}` } : {}),
    };
    return new Response(contentOf(file, done), { status: from > 0 ? 206 : 200, headers });
  }

  async #append(request: Request, sha256: string, offset: number): Promise<Response> {
    const announced = this.known.announced(sha256);
    if (!announced || announced.id !== request.headers.get("skr8tr-upload")) {
      return fail(403, "its bytes are taken from whoever signed UPLOAD for it last");
    }
    await Deno.mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = this.#path(sha256);
    const whole = await this.#size(path);
    if (whole !== null) return progress(whole, true);
    const part = this.#parts.get(sha256) ?? await this.#resume(sha256);
    this.#parts.set(sha256, part);
    if (part.busy || offset !== part.offset) {
      return Response.json({ error: "not the next part", offset: part.offset }, { status: 409 });
    }
    part.busy = true;
    try {
      return await this.#write(request, sha256, part, announced.bytes);
    } catch (error) {
      // What was written of the part stays; how much that is, is read from the disk again.
      this.#parts.delete(sha256);
      const full = /os error 28\)/.test((error as Error).message);
      const why = full ? "the conductor's disk is full" : (error as Error).message;
      return fail(507, `cannot keep artifact ${sha256}: ${why}`);
    } finally {
      part.busy = false;
    }
  }

  /** A part of an earlier start, whose bytes are counted in again. */
  async #resume(sha256: string): Promise<Part> {
    const hash = createHash("sha256");
    let offset = 0;
    const size = await this.#size(`${this.#path(sha256)}.part`);
    if (size !== null) {
      using file = await Deno.open(`${this.#path(sha256)}.part`);
      const buffer = new Uint8Array(262_144);
      for (let count; (count = await file.read(buffer)) !== null;) {
        hash.update(buffer.subarray(0, count));
        offset += count;
      }
    }
    return { hash, offset, busy: false };
  }

  async #write(request: Request, sha256: string, part: Part, bytes: number): Promise<Response> {
    const path = this.#path(sha256);
    {
      using file = await Deno.open(`${path}.part`, { append: true, create: true, mode: 0o600 });
      let taken = 0;
      for await (const chunk of request.body ?? []) {
        taken += chunk.length;
        if (taken > ARTIFACT_PART_BYTES || part.offset + chunk.length > bytes) {
          throw new Error("more bytes than announced");
        }
        for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
        part.hash.update(chunk);
        part.offset += chunk.length;
      }
      if (part.offset === bytes) await file.syncData();
    }
    if (part.offset < bytes) return progress(part.offset, false);
    this.#parts.delete(sha256);
    const found = part.hash.digest("hex");
    if (found !== sha256) {
      await Deno.remove(`${path}.part`);
      return fail(422, `its bytes have the digest ${found}: it changed while it was sent`);
    }
    await Deno.rename(`${path}.part`, path);
    await this.prune();
    return progress(bytes, true);
  }

  /** Throws away what nobody wants any more: old parts, and the oldest artifacts beyond the bound. */
  async prune(nowMs = Date.now()): Promise<void> {
    const wanted = this.known.wanted();
    const unwanted: { path: string; size: number; atMs: number }[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      const path = `${this.folder}/${name}`;
      const { size, mtime } = await Deno.stat(path);
      const atMs = mtime?.getTime() ?? 0;
      const sha256 = name.slice(0, 64);
      if (name.endsWith(".part")) {
        const old = nowMs - atMs > ARTIFACT_PART_MS && !this.#parts.get(sha256)?.busy;
        if (old) await this.#remove(path, sha256);
      } else if (!wanted.has(sha256)) unwanted.push({ path, size, atMs });
    }
    let kept = 0;
    for (const { path, size, atMs } of unwanted.sort((a, b) => b.atMs - a.atMs)) {
      kept += size;
      // One that has just come is about to be named.
      if (kept > ARTIFACT_STORE_BYTES && nowMs - atMs > 600_000) await this.#remove(path);
    }
  }

  async #remove(path: string, part?: string): Promise<void> {
    if (part !== undefined) this.#parts.delete(part);
    log().info("removes {path}, which nothing needs any more", { path });
    await Deno.remove(path);
  }
}

function progress(offset: number, complete: boolean): Response {
  return Response.json({ offset, complete });
}

function fail(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

/** What a file has from here on; tells when it has ended, or was given up. */
function contentOf(file: Deno.FsFile, done: () => void): ReadableStream<Uint8Array> {
  let isOpen = true;
  const end = () => {
    if (!isOpen) return;
    isOpen = false;
    file.close();
    done();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const buffer = new Uint8Array(READ_BYTES);
        const count = await file.read(buffer);
        if (count !== null) return controller.enqueue(buffer.subarray(0, count));
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
