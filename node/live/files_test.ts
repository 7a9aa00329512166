import { assert, assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { FINISHED_KEEP, FINISHED_KEEP_MS, TOMBSTONE_MS } from "../../core/limits.ts";
import { makeRecord } from "../fake_world.ts";
import { formatSaved, parseSaved, type SavedReplica } from "../saved.ts";
import { NodeFiles, readText } from "./files.ts";

function folder(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "skr8tr-files-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

const SAVED: SavedReplica = {
  format: 1,
  replica: "web-1",
  app: "web",
  generation: 3,
  sequence: 17,
  index: 0,
  instance: 2,
  stage: "ready",
  port: 8001,
  restarts: 1,
  stopOrdered: false,
  dropped: false,
  sinceWallMs: 1_700_000_000_000,
  exit: { code: 1, why: "exit", wallMs: 1_700_000_000_000, tail: "bye" },
};

Deno.test("a start of the daemon counts as later than the one before, whatever the clock says", () => {
  using at = folder();
  const begin = (wallMs: number) => {
    const files = new NodeFiles(at.path);
    try {
      return files.beginBoot(wallMs);
    } finally {
      files.close();
    }
  };
  const wallMs = 1_800_000_000_000;
  assertEquals(begin(wallMs), wallMs);
  const back = begin(wallMs - 3_600_000);
  assert(back > wallMs);
  assert(begin(wallMs - 3_500_000) > back);
  assertEquals(begin(wallMs + 86_400_000), wallMs + 86_400_000);
  for (const damaged of ["", "soon\n", "1e400", "-"]) {
    Deno.writeTextFileSync(`${at.path}/boot`, damaged);
    assertEquals(begin(wallMs), wallMs);
  }
});

Deno.test("a node keeps its identity, and refuses one that is damaged", () => {
  using at = folder();
  const open = () => {
    const files = new NodeFiles(at.path);
    files.close();
    return files.node;
  };
  const first = open();
  assert(/^[0-9a-f]{32}$/.test(first));
  assertEquals(open(), first);
  for (const damage of ["", first.slice(1), "x".repeat(32)]) {
    Deno.writeTextFileSync(`${at.path}/node.id`, damage);
    const error = assertThrows(open, Failure, "does not hold a node's identity") as Failure;
    assertEquals(error.code, "state-damaged");
  }
});

Deno.test("a record that the disk refused is kept with the next, before it", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  const records = [1, 2, 3].map((sequence) => makeRecord(sequence, "web"));
  files.keepRecord(records[0]!);
  const path = `${at.path}/records.jsonl`;
  Deno.renameSync(path, `${path}.away`);
  Deno.mkdirSync(path);
  assertThrows(() => files.keepRecord(records[1]!));
  Deno.removeSync(path);
  Deno.renameSync(`${path}.away`, path);
  files.keepRecord(records[2]!);
  assertEquals(files.loadRecords(), records);
  files.close();
});

Deno.test("a state folder belongs to one daemon", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  assertThrows(() => new NodeFiles(at.path), Failure, "another node daemon uses");
  files.close();
  new NodeFiles(at.path).close();
});

Deno.test("saved state is read back; every truncation and every flipped bit of structure is noticed", () => {
  const text = formatSaved(SAVED);
  assertEquals(parseSaved(text), SAVED);
  for (let length = 0; length < text.length; length++) {
    assertEquals(parseSaved(text.slice(0, length)), null, `cut to ${length}`);
  }
  for (
    const wrong of [
      "null\n",
      "[]\n",
      text.replace('"format":1', '"format":2'),
      text.replace('"ready"', '"reddy"'),
      text.replace("8001", "80010000"),
      text.replace('"web-1"', '"../web"'),
      text.replace('"sequence":17', '"sequence":"17"'),
    ]
  ) assertEquals(parseSaved(wrong), null, wrong);
});

Deno.test("load() tells readable, damaged and missing state apart", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  files.save(SAVED);
  files.save({ ...SAVED, replica: "web-2" });
  files.save({ ...SAVED, replica: "web-3" });
  files.save({ ...SAVED, replica: "web-4" });
  const path = (replica: string, file: string) => `${at.path}/replicas/${replica}/${file}`;
  Deno.writeTextFileSync(path("web-2", "replica.json"), "{");
  // Removed under a launcher that had run, and one that was never begun.
  Deno.removeSync(path("web-3", "replica.json"));
  Deno.writeTextFileSync(path("web-3", "lock"), "");
  Deno.removeSync(path("web-4", "replica.json"));
  // The state of another replica.
  Deno.mkdirSync(`${at.path}/replicas/web-5`);
  Deno.writeTextFileSync(path("web-5", "replica.json"), formatSaved(SAVED));
  const { replicas, damaged } = files.load();
  assertEquals(replicas, [SAVED]);
  assertEquals(damaged.toSorted(), ["web-2", "web-3", "web-5"]);
  assertEquals(readText(path("web-4", "home")), undefined);
  files.close();
});

Deno.test("a save that is cut short leaves the state of before", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  files.save(SAVED);
  // What a daemon that dies in the middle of the next save leaves.
  Deno.writeTextFileSync(`${at.path}/replicas/web-1/replica.json.new`, '{"format":1,"repl');
  assertEquals(files.load(), { replicas: [SAVED], damaged: [] });
  files.close();
});

Deno.test("records are read back up to the first damage, and go on after it", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  const records = [1, 2, 3, 4].map((sequence) => makeRecord(sequence, "web"));
  for (const record of records) files.keepRecord(record);
  assertEquals(files.loadRecords(), records);
  const path = `${at.path}/records.jsonl`;
  const lines = Deno.readTextFileSync(path).split("\n");
  lines[2] = lines[2]!.replace('"signatureHex":"0', '"signatureHex":"g');
  Deno.writeTextFileSync(path, lines.join("\n"));
  assertEquals(files.loadRecords(), records.slice(0, 2));
  files.keepRecord(records[2]!);
  assertEquals(files.loadRecords(), records.slice(0, 3));
  // A torn last line.
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).slice(0, -9));
  assertEquals(files.loadRecords(), records.slice(0, 2));
  files.keepRecord(records[2]!);
  assertEquals(files.loadRecords(), records.slice(0, 3));
  files.close();
});

Deno.test("tombstones outlive a restart for their time, whatever else stands in the file", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  const nowMs = 1_700_000_000_000;
  files.keepTombstone("old", nowMs - TOMBSTONE_MS);
  files.keepTombstone("young", nowMs - 1);
  Deno.writeTextFileSync(`${at.path}/tombstones.jsonl`, '["torn",17', { append: true });
  assertEquals(files.loadTombstones(nowMs), [["young", nowMs - 1]]);
  files.keepTombstone("next", nowMs);
  assertEquals(files.loadTombstones(nowMs), [["young", nowMs - 1], ["next", nowMs]]);
  files.close();
});

Deno.test("prune() removes long finished replicas, keeps the newest, and never a living one", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  const nowMs = 1_700_000_000_000 + FINISHED_KEEP_MS;
  const replica = (name: string, ageMs: number, dropped: boolean): SavedReplica => ({
    ...SAVED,
    replica: name,
    stage: dropped ? "finished" : "ready",
    dropped,
    sinceWallMs: nowMs - ageMs,
  });
  const all = [
    replica("alive", 10 * FINISHED_KEEP_MS, false),
    replica("aged", FINISHED_KEEP_MS + 1, true),
    replica("fresh", 1, true),
    ...Array.from(
      { length: FINISHED_KEEP },
      (_, index) => replica(`many-${index}`, TOMBSTONE_MS + 1 + index, true),
    ),
  ];
  for (const each of all) files.save(each);
  files.prune(all, nowMs);
  const left = new Set(files.load().replicas.map((each) => each.replica));
  assertEquals([left.has("alive"), left.has("aged"), left.has("fresh")], [true, false, true]);
  assertEquals(left.size, 1 + FINISHED_KEEP);
  files.close();
});

Deno.test("the log's name is kept, and given up with its records", () => {
  using at = folder();
  const files = new NodeFiles(at.path);
  assertEquals(files.loadLog(), undefined);
  files.keepLog("a".repeat(64));
  files.keepRecord({
    sequence: 1,
    text: "DOWN|x|1",
    signatureHex: "0".repeat(6_618),
    key: "0".repeat(64),
  });
  assertEquals([files.loadLog(), files.loadRecords().length], ["a".repeat(64), 1]);
  files.forgetLog();
  assertEquals([files.loadLog(), files.loadRecords().length], [undefined, 0]);
  files.forgetLog();
  files.close();
});
