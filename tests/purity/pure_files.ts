/** Folders whose files are pure machines, except for `live/`, `main.ts` and tests. */
export const PURE_FOLDERS: readonly string[] = ["core", "conductor", "tower", "node", "ingress"];

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Says whether the architecture's one rule binds this file (absolute, or relative to the root). */
export function isPure(path: string): boolean {
  const relative = path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
  const parts = relative.split("/");
  const file = parts.at(-1) ?? "";
  if (!PURE_FOLDERS.includes(parts[0] ?? "")) return false;
  if (!file.endsWith(".ts") || file.endsWith(".d.ts")) return false;
  if (file.endsWith("_test.ts") || file === "main.ts") return false;
  return !parts.includes("live") && !parts.includes("deck");
}
