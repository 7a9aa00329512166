import { assertEquals, assertNotEquals } from "@std/assert";
import { ARTIFACT_SETTLE_MS } from "../core/limits.ts";
import { isSettled, type PathStat, statDigest, whyMisplaced } from "./artifact_stat.ts";

function stat(path: string, rest: Partial<PathStat> = {}): PathStat {
  return {
    path,
    kind: "file",
    inode: `64/${path.length}`,
    bytes: 1_000,
    modifiedMs: 1_790_000_000_123,
    changedMs: 1_790_000_000_000,
    ...rest,
  };
}

const folder = (path: string) => stat(path, { kind: "folder", bytes: 4_096 });
const FILE = { form: "file", from: "dist/web", bytes: 1_000 } as const;
const TREE = { form: "folder", from: "dist", bytes: 1_000 } as const;

Deno.test("statDigest() is one for the same paths in any order, and another for each difference", () => {
  const stats = [folder(""), stat("web"), folder("data"), stat("data/a")];
  const digest = statDigest(stats);
  assertEquals(statDigest(stats.toReversed()), digest);
  const differences: Partial<PathStat>[] = [
    { path: "wep" },
    { kind: "link" },
    { inode: "64/99" },
    { bytes: 999 },
    { modifiedMs: 1_790_000_000_124 },
    { changedMs: 1_790_000_001_000 },
  ];
  for (const difference of differences) {
    const other = stats.map((each) => each.path === "web" ? { ...each, ...difference } : each);
    assertNotEquals(statDigest(other), digest, JSON.stringify(difference));
  }
  assertNotEquals(statDigest(stats.slice(1)), digest);
  assertNotEquals(statDigest([...stats, stat("data/b")]), digest);
});

Deno.test("isSettled() only where a later change would have a later time", () => {
  const stats = [folder(""), stat("web", { changedMs: 1_790_000_002_000 })];
  assertEquals(isSettled(stats, 1_790_000_002_000 + ARTIFACT_SETTLE_MS), true);
  assertEquals(isSettled(stats, 1_790_000_002_000 + ARTIFACT_SETTLE_MS - 1), false);
  // A clock that was set back says nothing about what comes.
  assertEquals(isSettled(stats, 1_780_000_000_000), false);
  // The times are whole seconds, and the files' clock lags by as much as a tick.
  assertEquals(ARTIFACT_SETTLE_MS > 1_010, true);
});

Deno.test("whyMisplaced() finds what is missing, of another kind, of another size, or too much", () => {
  assertEquals(whyMisplaced(FILE, [folder(""), stat("web")]), null);
  assertEquals(whyMisplaced(FILE, [folder("")]), "web is missing");
  assertEquals(whyMisplaced(FILE, [folder(""), stat("web", { kind: "link" })]), "web is a link");
  assertEquals(
    whyMisplaced(FILE, [folder(""), stat("web", { kind: "other" })]),
    "web is neither a file nor a folder",
  );
  assertEquals(whyMisplaced(FILE, [folder(""), stat("web", { bytes: 7 })]), "web has 7 bytes");
  assertEquals(
    whyMisplaced(FILE, [folder(""), stat("web"), stat("web.so")]),
    "it holds web.so, which nobody signed",
  );
  assertEquals(whyMisplaced(FILE, [stat("")]), "its folder is a file");
});

Deno.test("whyMisplaced() looks at the folders on the way, and beside it", () => {
  const file = { ...FILE, to: "opt/bin/web" };
  const whole = [folder(""), folder("opt"), folder("opt/bin"), stat("opt/bin/web")];
  assertEquals(whyMisplaced(file, whole), null);
  const linked = whole.map((each) => each.path === "opt" ? stat("opt", { kind: "link" }) : each);
  assertEquals(whyMisplaced(file, linked), "opt is a link");
  assertEquals(
    whyMisplaced(file, [...whole, stat("opt/bin/web2")]),
    "it holds opt/bin/web2, which nobody signed",
  );
  // What a folder holds its archive says.
  assertEquals(whyMisplaced(TREE, [folder(""), stat("index.html"), stat("more")]), null);
  const site = { ...TREE, to: "site" };
  assertEquals(whyMisplaced(site, [folder(""), folder("site"), stat("site/index.html")]), null);
  assertEquals(whyMisplaced(site, [folder("")]), "site is missing");
  assertEquals(whyMisplaced(site, [folder(""), stat("site", { kind: "link" })]), "site is a link");
  assertEquals(
    whyMisplaced(site, [folder(""), folder("site"), stat("sitemap")]),
    "it holds sitemap, which nobody signed",
  );
});
