import { FRONT_FILE_BYTES } from "../../kit/limits.ts";

/** A file of the front, as it is sent. */
export interface FrontFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Compressed, where that is smaller. */
  readonly gzip?: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Strong, of the content. */
  readonly etag: string;
  /** The name carries a digest of the content: it can be kept for ever. */
  readonly hashed: boolean;
}

export interface FrontFiles {
  /** The file at a path below the root, such as `assets/main-ABCD1234.js`; undefined for none. */
  find(path: string): Promise<FrontFile | undefined>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  json: "application/json",
  webmanifest: "application/manifest+json",
  txt: "text/plain; charset=utf-8",
  woff2: "font/woff2",
};
const COMPRESSED_ALREADY = new Set(["png", "woff2", "ico"]);
const HASHED = /-[A-Z0-9]{8}\.[a-z0-9]+$/i;
/** A path's parts may be names, not `..`, not hidden files, nothing a file system could interpret. */
const SAFE_PATH = /^(?:[\w-][\w.-]*\/)*[\w-][\w.-]*$/;

/** Serves the files below `root`; read once, and again when they have changed. */
export function createFrontFiles(root: string): FrontFiles {
  const known = new Map<string, { readonly changed: number; readonly file: FrontFile }>();
  return {
    async find(path) {
      const extension = path.match(/\.([a-z0-9]+)$/)?.[1] ?? "";
      const type = TYPES[extension];
      if (!SAFE_PATH.test(path) || !type) return undefined;
      const info = await plainFile(root, path);
      if (!info || info.size > FRONT_FILE_BYTES) return undefined;
      const changed = info.mtime?.getTime() ?? 0;
      const entry = known.get(path);
      if (entry?.changed === changed) return entry.file;
      const bytes = await Deno.readFile(`${root}/${path}`);
      const file: FrontFile = {
        bytes,
        gzip: COMPRESSED_ALREADY.has(extension) ? undefined : await smaller(bytes),
        type,
        etag: await etagOf(bytes),
        hashed: HASHED.test(path),
      };
      known.set(path, { changed, file });
      return file;
    },
  };
}

/** The file at `path`, if neither it nor a folder on the way is a link: links may lead outside. */
async function plainFile(root: string, path: string): Promise<Deno.FileInfo | undefined> {
  try {
    for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1)) {
      if (!(await Deno.lstat(`${root}/${path.slice(0, slash)}`)).isDirectory) return undefined;
    }
    const info = await Deno.lstat(`${root}/${path}`);
    return info.isFile ? info : undefined;
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (absent) return undefined;
    throw error;
  }
}

async function smaller(bytes: Uint8Array<ArrayBuffer>) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const gzip = new Uint8Array(await new Response(stream).arrayBuffer());
  return gzip.length < bytes.length ? gzip : undefined;
}

async function etagOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `"${digest.toHex().slice(0, 32)}"`;
}
