// What a request to the static server asks for, taken apart without touching a disk.

/** Most ranges of one request that are answered as ranges; with more the whole file is sent. */
const RANGES = 16;
/** Longest path, in characters, and most segments. */
const PATH_LENGTH = 4_096;
const SEGMENTS = 128;

/**
 * The segments of a request's path, decoded; `null` for what must not be looked for: climbing out,
 * hidden names, NUL, separators that were encoded. A slash at the end is told by `folder`.
 */
export function segmentsOf(
  pathname: string,
): { readonly segments: readonly string[]; readonly folder: boolean } | null {
  if (pathname.length > PATH_LENGTH) return null;
  const segments: string[] = [];
  for (const part of pathname.split("/")) {
    if (part === "") continue;
    const name = decode(part);
    if (name === null || !isPlain(name)) return null;
    segments.push(name);
  }
  if (segments.length > SEGMENTS) return null;
  return { segments, folder: pathname.endsWith("/") };
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

/** Names that begin with a dot (`.git`, `.env`, `..`) are nobody's business but for `.well-known`. */
function isPlain(name: string): boolean {
  if (name.startsWith(".") && name !== ".well-known") return false;
  return name.length <= 255 && !/[/\\\0]/.test(name);
}

/** A part of a file: the first and the last byte, as in `content-range`. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a `range` header (RFC 9110, 14.1.2) against a file of `size` bytes.
 *
 * @returns the ranges that can be satisfied, joined where they touch or overlap; an empty list
 *   where none can be (416); `null` where the header is to be ignored (200 with everything).
 */
export function readRanges(header: string | null, size: number): readonly ByteRange[] | null {
  const specs = /^bytes[ \t]*=(.*)$/i.exec(header?.trim() ?? "")?.[1]?.split(",");
  if (!specs || specs.length > RANGES) return null;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const match = /^[ \t]*([0-9]{0,15})[ \t]*-[ \t]*([0-9]{0,15})[ \t]*$/.exec(spec);
    if (!match) return null;
    const [, from = "", to = ""] = match;
    if (from === "" && to === "") return null;
    if (from === "") {
      const length = Math.min(Number(to), size);
      if (length > 0) ranges.push({ first: size - length, last: size - 1 });
      continue;
    }
    const first = Number(from);
    if (to !== "" && Number(to) < first) return null;
    const last = Math.min(to === "" ? size - 1 : Number(to), size - 1);
    if (first < size) ranges.push({ first, last });
  }
  return joined(ranges);
}

/** Overlapping ranges would let a small request ask for much. */
function joined(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const out: ByteRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = out.at(-1);
    if (before && range.first <= before.last + 1) {
      out[out.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    } else out.push(range);
  }
  return out;
}

/** How files may lie beside the plain one, best first: coding and the ending of its name. */
export const PRECOMPRESSED = [["br", ".br"], ["gzip", ".gz"]] as const;

/** Whether a client takes this content coding (RFC 9110, 12.5.3). */
export function accepts(header: string | null, coding: string): boolean {
  let any = false;
  for (const part of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((each) => each.trim());
    const weight = parameters.find((each) => each.startsWith("q="))?.slice(2);
    const takes = weight === undefined || Number(weight) > 0;
    if (name === coding || (name === "x-gzip" && coding === "gzip")) return takes;
    if (name === "*") any = takes;
  }
  return any;
}

/** Whether an `if-none-match` names this tag; weakly, as RFC 9110 says. */
export function noneMatch(header: string | null, tag: string): boolean {
  if (header === null) return false;
  return header.trim() === "*" ||
    header.split(",").some((each) => each.trim().replace(/^W\//, "") === tag);
}

/** Whether an `if-match` names this tag, strongly; absent: it does. */
export function ifMatch(header: string | null, tag: string): boolean {
  if (header === null || header.trim() === "*") return true;
  return header.split(",").some((each) => each.trim() === tag);
}

/** Whether ranges may be answered: what the client holds is of this very file. */
export function ifRange(header: string | null, tag: string, modified: string | null): boolean {
  if (header === null) return true;
  const held = header.trim();
  return held === tag || (modified !== null && held === modified);
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  htm: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  webmanifest: "application/manifest+json",
  txt: "text/plain; charset=utf-8",
  md: "text/markdown; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  xml: "application/xml",
  svg: "image/svg+xml",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  ico: "image/x-icon",
  bmp: "image/bmp",
  woff: "font/woff",
  woff2: "font/woff2",
  ttf: "font/ttf",
  otf: "font/otf",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  wav: "audio/wav",
  flac: "audio/flac",
  mp4: "video/mp4",
  webm: "video/webm",
  wasm: "application/wasm",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
};

/** The media type of a file by its name. */
export function mediaType(name: string): string {
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(TYPES, ending) ? TYPES[ending]! : "application/octet-stream";
}

/**
 * How long a file may be kept. A name with a hash in it (`main-3FA9C1D2.js`, `app.5f2c81aa.css`)
 * never changes its content; a page is asked for each time, which costs a 304.
 */
export function cacheControl(name: string): string {
  const hashed = /[.-]([A-Za-z0-9_]{8,64})\.[A-Za-z0-9]{1,8}$/.exec(name)?.[1];
  if (hashed !== undefined && /[0-9]/.test(hashed) && !/^[0-9]+$/.test(hashed)) {
    return "public, max-age=31536000, immutable";
  }
  return /\.html?$/i.test(name) ? "no-cache" : "public, max-age=60";
}

/**
 * Whether a path that names nothing gets the start page: what a person goes to does, a missing
 * script or picture does not.
 */
export function wantsPage(segments: readonly string[], accept: string | null): boolean {
  if (/\btext\/html\b/i.test(accept ?? "")) return true;
  return !(segments.at(-1) ?? "").includes(".") && (accept === null || accept.includes("*/*"));
}
