// An initial RAM file system: the archive that a kernel unpacks as its root (cpio, "newc"), and what
// of Debian's kernel goes into it.

import { gzipSync } from "node:zlib";
import { Failure } from "../../core/errors.ts";

export type InitramfsEntry =
  | { readonly path: string; readonly folder: true }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly content: Uint8Array; readonly mode?: number };

/**
 * The archive of these entries; folders on the way are made.
 *
 * @param level of gzip; 0: the archive as it is, which no guest has to unpack
 */
export function initramfs(entries: readonly InitramfsEntry[], level = 1): Uint8Array {
  const parts: Uint8Array[] = [];
  const made = new Set<string>();
  let inode = 1;
  const add = (path: string, mode: number, content: Uint8Array) => {
    const name = new TextEncoder().encode(`${path}\0`);
    const numbers = [inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const head = "070701" + numbers.map((each) => each.toString(16).padStart(8, "0")).join("");
    parts.push(padded([new TextEncoder().encode(head), name]), padded([content]));
  };
  const makeFolders = (path: string) => {
    const steps = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= steps.length; depth++) {
      const folder = steps.slice(0, depth).join("/");
      if (made.has(folder)) continue;
      made.add(folder);
      add(folder, 0o040755, new Uint8Array());
    }
  };
  for (const entry of entries) {
    makeFolders("folder" in entry ? `${entry.path}/` : entry.path);
    if ("link" in entry) add(entry.path, 0o120777, new TextEncoder().encode(entry.link));
    else if ("content" in entry) add(entry.path, 0o100000 | (entry.mode ?? 0o644), entry.content);
  }
  add("TRAILER!!!", 0, new Uint8Array());
  return level === 0 ? joined(parts) : gzipSync(joined(parts), { level });
}

function padded(parts: readonly Uint8Array[]): Uint8Array {
  const whole = joined(parts);
  return joined([whole, new Uint8Array((4 - whole.length % 4) % 4)]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Debian's kernel for clouds on this machine. */
export interface Kernel {
  readonly path: string;
  readonly version: string;
}

/** @throws {Failure} `no-kernel` where linux-image-cloud-* is not installed. */
export function findKernel(boot = "/boot"): Kernel {
  const names = [...Deno.readDirSync(boot)].map((each) => each.name)
    .filter((name) => /^vmlinuz-.*cloud/.test(name)).sort();
  const name = names.at(-1);
  if (name === undefined) {
    throw new Failure(
      "no-kernel",
      `no cloud kernel is in ${boot}; install linux-image-cloud-amd64`,
    );
  }
  return { path: `${boot}/${name}`, version: name.slice("vmlinuz-".length) };
}

/**
 * Modules with all that they need, each after what it needs, as `lib/modules/NAME.ko`; built-in ones
 * are left out.
 */
export function modulesOf(kernel: Kernel, names: readonly string[]): InitramfsEntry[] {
  const root = `/lib/modules/${kernel.version}`;
  const needs = new Map<string, { path: string; needs: readonly string[] }>();
  for (const line of Deno.readTextFileSync(`${root}/modules.dep`).split("\n")) {
    const [path, rest = ""] = line.split(":");
    if (!path) continue;
    needs.set(nameOf(path), { path, needs: rest.trim().split(" ").filter(Boolean).map(nameOf) });
  }
  const order: string[] = [];
  const visit = (name: string) => {
    const known = needs.get(name);
    if (!known || order.includes(name)) return;
    // modules.dep lists what is nearest first.
    for (const need of known.needs.toReversed()) visit(need);
    order.push(name);
  };
  names.forEach((name) => visit(name.replaceAll("-", "_")));
  return order.map((name, index) => ({
    path: `lib/modules/${String(index).padStart(2, "0")}-${name}.ko`,
    content: Deno.readFileSync(`${root}/${needs.get(name)!.path}`),
  }));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.ko(\..*)?$/, "").replaceAll("-", "_");
}
