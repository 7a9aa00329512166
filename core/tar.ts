// The archive form of a folder: tar (POSIX ustar, long names as GNU tar writes them), always the
// same bytes for the same content. Times and owners are left out; of the mode only "may be executed"
// is kept. Heads only: who reads and writes files is under live/.

import { toBytes, toText } from "./bytes.ts";

/** Tar's unit: heads have this size, contents are padded to it, in bytes. */
export const TAR_BLOCK = 512;
/** Longest name, in bytes. */
const NAME_BYTES = 4_096;

export type TarEntry =
  | {
    readonly kind: "file";
    /** Relative, with `/`; neither empty nor with `.` or `..` segments. */
    readonly path: string;
    readonly bytes: number;
    readonly executable: boolean;
  }
  | { readonly kind: "folder"; readonly path: string }
  /** `target` is relative and stays within the archive. */
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** Zeros after `bytes` of content, up to the next block. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
}

/** The two empty blocks at the end. */
export const TAR_END_BYTES = 2 * TAR_BLOCK;

/** The head of an entry, long names before it included. */
export function tarHead(entry: TarEntry): Uint8Array {
  const name = toBytes(entry.kind === "folder" ? `${entry.path}/` : entry.path);
  const target = entry.kind === "link" ? toBytes(entry.target) : new Uint8Array();
  const parts: Uint8Array[] = [];
  if (target.length > 100) parts.push(...long("K", target));
  if (name.length > 100) parts.push(...long("L", name));
  const type = entry.kind === "file" ? "0" : entry.kind === "folder" ? "5" : "2";
  const mode = entry.kind === "link"
    ? 0o777
    : entry.kind === "folder" || entry.executable
    ? 0o755
    : 0o644;
  parts.push(block(name, type, entry.kind === "file" ? entry.bytes : 0, mode, target));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function long(type: string, text: Uint8Array): Uint8Array[] {
  const length = text.length + 1;
  const content = new Uint8Array(length + tarPadding(length));
  content.set(text);
  return [block(toBytes("././@LongLink"), type, length, 0o644, new Uint8Array()), content];
}

function block(
  name: Uint8Array,
  type: string,
  bytes: number,
  mode: number,
  target: Uint8Array,
): Uint8Array {
  const head = new Uint8Array(TAR_BLOCK);
  const put = (at: number, text: string) => head.set(toBytes(text), at);
  head.set(name.subarray(0, 100), 0);
  put(100, octal(mode, 8));
  put(108, octal(0, 8));
  put(116, octal(0, 8));
  put(124, octal(bytes, 12));
  put(136, octal(0, 12));
  put(148, " ".repeat(8));
  put(156, type);
  head.set(target.subarray(0, 100), 157);
  put(257, "ustar\0" + "00");
  put(148, `${sumOf(head).toString(8).padStart(6, "0")}\0 `);
  return head;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

/** The sum over a head, its own field counted as blanks. */
function sumOf(head: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : head[at]!;
  return sum;
}

/** What a block at the place of a head is. */
export type TarHead =
  | { readonly at: "end" }
  | { readonly at: "bad"; readonly reason: string }
  /** `bytes` of content that name the next entry, or its target. */
  | { readonly at: "name" | "target"; readonly bytes: number }
  | { readonly at: "entry"; readonly entry: TarEntry };

/**
 * Reads a block as a head.
 *
 * @param name what a long name before it said
 * @param target the same of a link's target
 */
export function readTarHead(head: Uint8Array, name?: string, target?: string): TarHead {
  if (head.every((byte) => byte === 0)) return { at: "end" };
  const bad = (reason: string): TarHead => ({ at: "bad", reason });
  const sum = readOctal(head.subarray(148, 156));
  if (sum !== sumOf(head)) return bad("a head is damaged");
  const bytes = readOctal(head.subarray(124, 136));
  if (bytes === null) return bad("a head has no size");
  const type = String.fromCharCode(head[156]!);
  if (type === "L" || type === "K") {
    if (bytes > NAME_BYTES + 1) return bad("a name is too long");
    return { at: type === "L" ? "name" : "target", bytes };
  }
  const path = (name ?? textOf(head.subarray(0, 100)) ?? "").replace(/\/$/, "");
  if (!isInner(path)) return bad(`the name ${JSON.stringify(path)} does not stay within`);
  switch (type) {
    case "0": {
      const executable = ((readOctal(head.subarray(100, 108)) ?? 0) & 0o111) !== 0;
      return { at: "entry", entry: { kind: "file", path, bytes, executable } };
    }
    case "5":
      return { at: "entry", entry: { kind: "folder", path } };
    case "2": {
      const to = target ?? textOf(head.subarray(157, 257)) ?? "";
      if (!staysWithin(path, to)) return bad(`the link ${path} leads out, to ${to}`);
      return { at: "entry", entry: { kind: "link", path, target: to } };
    }
    default:
      return bad(`${path} is of a kind that is not known: ${JSON.stringify(type)}`);
  }
}

function readOctal(field: Uint8Array): number | null {
  const text = textOf(field)?.trim() ?? "";
  return /^[0-7]{1,12}$/.test(text) ? Number.parseInt(text, 8) : null;
}

/** The text of a field up to its first zero byte; `null` where it is not UTF-8. */
export function textOf(field: Uint8Array): string | null {
  const end = field.indexOf(0);
  return toText(end < 0 ? field : field.subarray(0, end));
}

function isInner(path: string): boolean {
  if (path === "" || path.length > NAME_BYTES || path.includes("\0")) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/**
 * Whether a link at `path` with this target leads to somewhere below the archive's own folder. `..`
 * may stand only in front: behind a name that is a link itself it would lead who knows where.
 */
export function staysWithin(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.length > NAME_BYTES) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const names = parts.findIndex((part) => part !== "..");
  const climbs = names < 0 ? parts.length : names;
  return !parts.slice(climbs).includes("..") && climbs < path.split("/").length;
}
