// The built-in static server, a program of its own: `deno run ... static.ts FOLDER HOST PORT [spa]`.
// It may read its folder and listen at its address, and nothing else.

import { createHash } from "node:crypto";
import {
  accepts,
  type ByteRange,
  cacheControl,
  ifMatch,
  ifRange,
  mediaType,
  noneMatch,
  PRECOMPRESSED,
  readRanges,
  segmentsOf,
  wantsPage,
} from "../static/request.ts";

/** Files whose tags are remembered. */
const TAGS = 10_000;
/** A file up to this size is read at once, in bytes. */
const SMALL_BYTES = 65_536;

/** A file as it is on disk now. */
interface Found {
  readonly path: string;
  readonly info: Deno.FileInfo;
}

/** Answers requests from one folder. */
export class StaticSite {
  readonly #tags = new Map<string, string>();

  /** @param root the folder's real path */
  constructor(private readonly root: string, private readonly spa: boolean) {}

  /** The answer to a request; never throws for what a client asks or a disk lacks. */
  async answer(request: Request): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, "only GET and HEAD", { allow: "GET, HEAD" });
    }
    const wanted = segmentsOf(new URL(request.url).pathname);
    if (!wanted) return await this.#missing(request, []);
    const { segments, folder } = wanted;
    const path = [this.root, ...segments].join("/");
    const found = await this.#find(path);
    if (found?.info.isFile && !folder) return await this.#file(request, found, 200);
    if (found?.info.isDirectory) {
      const index = await this.#find(`${path}/index.html`);
      if (index?.info.isFile) {
        if (folder || segments.length === 0) return await this.#file(request, index, 200);
        // Relative, so that it holds behind a route that strips a path, and names no other host.
        const location = `./${encodeURIComponent(segments.at(-1)!)}/`;
        return plain(301, "moved", { location });
      }
    }
    return await this.#missing(request, segments);
  }

  async #missing(request: Request, segments: readonly string[]): Promise<Response> {
    if (this.spa && wantsPage(segments, request.headers.get("accept"))) {
      const page = await this.#find(`${this.root}/index.html`);
      if (page?.info.isFile) return await this.#file(request, page, 200);
    }
    const page = await this.#find(`${this.root}/404.html`);
    return page?.info.isFile ? await this.#file(request, page, 404) : plain(404, "not found");
  }

  /** What is at a path, if it lies in the folder, whatever links lead there. */
  async #find(path: string): Promise<Found | null> {
    try {
      const real = await Deno.realPath(path);
      if (real !== this.root && !real.startsWith(`${this.root}/`)) return null;
      return { path: real, info: await Deno.stat(real) };
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  async #file(request: Request, plainFile: Found, status: 200 | 404): Promise<Response> {
    const headers = new Headers({
      "content-type": mediaType(plainFile.path),
      "cache-control": status === 404 ? "no-cache" : cacheControl(plainFile.path),
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
    });
    let found = plainFile;
    for (const [coding, ending] of PRECOMPRESSED) {
      const packed = await this.#find(plainFile.path + ending);
      if (!packed?.info.isFile) continue;
      headers.set("vary", "accept-encoding");
      if (found !== plainFile || !accepts(request.headers.get("accept-encoding"), coding)) continue;
      headers.set("content-encoding", coding);
      found = packed;
    }
    const tag = await this.#tagOf(found);
    headers.set("etag", tag);
    const modified = found.info.mtime?.toUTCString() ?? null;
    if (modified !== null) headers.set("last-modified", modified);
    if (status === 200) {
      const early = this.#condition(request, headers, tag, found);
      if (early) return early;
    }
    const { size } = found.info;
    const ranges = status === 200 && request.method === "GET" &&
        ifRange(request.headers.get("if-range"), tag, modified)
      ? readRanges(request.headers.get("range"), size)
      : null;
    if (ranges?.length === 0) {
      headers.set("content-range", `bytes */${size}`);
      return plain(416, "no such range", headers);
    }
    if (ranges?.length === 1) return await part(found, ranges[0]!, headers);
    if (ranges) return parts(found, ranges, headers, tag);
    headers.set("content-length", String(size));
    const body = request.method === "HEAD"
      ? null
      : await bodyOf(found, { first: 0, last: size - 1 });
    return new Response(body, { status, headers });
  }

  /** 304 or 412, where the request's conditions ask for it. */
  #condition(
    { headers: asked }: Request,
    headers: Headers,
    tag: string,
    found: Found,
  ): Response | null {
    if (!ifMatch(asked.get("if-match"), tag)) return plain(412, "it has changed", headers);
    const none = asked.get("if-none-match");
    const since = Date.parse(asked.get("if-modified-since") ?? "");
    const mtimeS = Math.floor((found.info.mtime?.getTime() ?? NaN) / 1000);
    const same = none === null ? mtimeS <= since / 1000 : noneMatch(none, tag);
    if (!same) return null;
    headers.delete("content-type");
    return new Response(null, { status: 304, headers });
  }

  /**
   * A strong tag made of the content: replicas on other nodes have the same one, whatever the time
   * at which their copy was written.
   */
  async #tagOf({ path, info }: Found): Promise<string> {
    const key = `${path}\0${info.dev}\0${info.ino}\0${info.size}\0${info.mtime?.getTime()}`;
    const known = this.#tags.get(key);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    using file = await Deno.open(path);
    const buffer = new Uint8Array(SMALL_BYTES);
    for (let count; (count = await file.read(buffer)) !== null;) {
      hash.update(buffer.subarray(0, count));
    }
    const tag = `"${hash.digest("hex").slice(0, 32)}"`;
    if (this.#tags.size >= TAGS) this.#tags.delete(this.#tags.keys().next().value!);
    this.#tags.set(key, tag);
    return tag;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.FilesystemLoop || error instanceof Deno.errors.InvalidData ||
    /os error (20|36|40)\)/.test((error as Error).message);
}

function plain(status: number, text: string, headers: HeadersInit = {}): Response {
  const all = new Headers(headers);
  all.set("content-type", "text/plain; charset=utf-8");
  all.set("x-content-type-options", "nosniff");
  if (!all.has("cache-control")) all.set("cache-control", "no-cache");
  return new Response(`${text}\n`, { status, headers: all });
}

async function part(found: Found, range: ByteRange, headers: Headers): Promise<Response> {
  headers.set("content-range", `bytes ${range.first}-${range.last}/${found.info.size}`);
  headers.set("content-length", String(range.last - range.first + 1));
  return new Response(await bodyOf(found, range), { status: 206, headers });
}

/** `multipart/byteranges`. */
function parts(
  found: Found,
  ranges: readonly ByteRange[],
  headers: Headers,
  tag: string,
): Response {
  const boundary = `part-${tag.replaceAll('"', "")}`;
  const type = headers.get("content-type");
  const heads = ranges.map(({ first, last }) =>
    new TextEncoder().encode(
      `\r\n--${boundary}\r\ncontent-type: ${type}\r\n` +
        `content-range: bytes ${first}-${last}/${found.info.size}\r\n\r\n`,
    )
  );
  const tail = new TextEncoder().encode(`\r\n--${boundary}--\r\n`);
  const length = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0) +
    heads.reduce((sum, head) => sum + head.length, 0) + tail.length;
  headers.set("content-type", `multipart/byteranges; boundary=${boundary}`);
  headers.set("content-length", String(length));
  const stream = async function* () {
    for (const [index, range] of ranges.entries()) {
      yield heads[index]!;
      yield* chunks(found.path, range);
    }
    yield tail;
  };
  return new Response(ReadableStream.from(stream()), { status: 206, headers });
}

async function bodyOf(
  found: Found,
  range: ByteRange,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const length = range.last - range.first + 1;
  if (length > SMALL_BYTES) return ReadableStream.from(chunks(found.path, range));
  const out = new Uint8Array(length);
  let at = 0;
  for await (const chunk of chunks(found.path, range)) {
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at < length) throw new Error(`${found.path} has become shorter`);
  return out;
}

async function* chunks(path: string, { first, last }: ByteRange): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  if (first > 0) await file.seek(first, Deno.SeekMode.Start);
  for (let left = last - first + 1; left > 0;) {
    const buffer = new Uint8Array(Math.min(left, SMALL_BYTES));
    const count = await file.read(buffer);
    if (count === null) return;
    left -= count;
    yield buffer.subarray(0, count);
  }
}

/** Serves a folder until SIGTERM or SIGINT; requests under way are finished first. */
export async function serveFolder(
  folder: string,
  hostname: string,
  port: number,
  spa: boolean,
): Promise<void> {
  let root: string;
  try {
    root = await Deno.realPath(folder);
    if (!(await Deno.stat(root)).isDirectory) throw new Error("it is no folder");
  } catch (error) {
    const why = error instanceof Deno.errors.NotCapable
      ? "it is a link that leads out of what this server may read; name the folder itself"
      : (error as Error).message;
    console.error(`cannot serve ${folder}: ${why}`);
    Deno.exit(1);
  }
  const site = new StaticSite(root, spa);
  const server = Deno.serve({
    hostname,
    port,
    onListen: () => console.log(`serves ${root} at ${hostname}:${port}`),
    onError(error) {
      console.error(`cannot answer: ${(error as Error).message}`);
      return plain(500, "cannot be read");
    },
  }, (request) => site.answer(request));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => void server.shutdown());
  }
  await server.finished;
}

if (import.meta.main) {
  const [folder = "", host = "", port = "", spa = ""] = Deno.args;
  await serveFolder(folder, host, Number(port), spa === "spa");
  Deno.exit(0);
}
