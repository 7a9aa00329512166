import { assert, assertEquals } from "@std/assert";
import { LOG_FILES } from "../../core/limits.ts";
import { until } from "./fake_cluster.ts";
import { Helper } from "./helper.ts";
import { Logs } from "./logs.ts";

function bench(fileBytes?: number) {
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-logs-" });
  Deno.mkdirSync(`${folder}/web-1`);
  const logs = new Logs(folder, fileBytes === undefined ? {} : { fileBytes });
  const path = `${folder}/web-1/log`;
  return {
    logs,
    path,
    /** Writes as a program does whose output is appended. */
    write: (text: string) => Deno.writeTextFileSync(path, text, { append: true }),
    [Symbol.dispose]() {
      logs[Symbol.dispose]();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("lines() has what was written up to now, with its time", () => {
  using all = bench();
  assertEquals(all.logs.lines("web-1", 10), []);
  const before = Date.now();
  all.write("one\ntwo\nthr");
  const lines = all.logs.lines("web-1", 10);
  assertEquals(lines.map((each) => each.line), ["one", "two"]);
  assert(lines.every((each) => each.at >= before && each.at <= Date.now()));
  all.write("ee\n");
  assertEquals(all.logs.lines("web-1", 1).map((each) => each.line), ["three"]);
});

Deno.test("followers hear new lines by themselves, until they leave", async () => {
  using all = bench();
  const heard: string[] = [];
  const leave = all.logs.follow("web-1", (lines) => heard.push(...lines.map((each) => each.line)));
  all.write("one\n");
  await until("the first line", () => heard.length === 1);
  all.write("two\n");
  await until("the second line", () => heard.length === 2);
  leave();
  all.write("three\n");
  await until("it is read", () => all.logs.lines("web-1", 1)[0]?.line === "three");
  assertEquals(heard, ["one", "two"]);
});

Deno.test("nothing is read any more once it is closed, even if the file is known to have changed", async () => {
  using all = bench();
  const heard: string[] = [];
  all.logs.follow("web-1", () => heard.push("the closed one"));
  all.logs[Symbol.dispose]();
  all.write("one\n");
  all.logs.touch("web-1");
  using next = new Logs(all.path.slice(0, -"/web-1/log".length));
  next.follow("web-1", () => heard.push("the next"));
  // It reads as long after this as the closed one would have after the other.
  next.touch("web-1");
  await until("the line", () => heard.includes("the next"));
  assertEquals(heard, ["the next"]);
});

Deno.test("lines of standard error are told apart, and half lines of the two are not mixed", async () => {
  using all = bench();
  const heard: string[] = [];
  all.logs.follow(
    "web-1",
    (lines) => heard.push(...lines.map((each) => `${each.stream} ${each.line}`)),
  );
  const err = (text: string) => Deno.writeTextFileSync(`${all.path}.err`, text, { append: true });
  all.write("good ");
  err("bad ");
  assertEquals(all.logs.lines("web-1", 10), []);
  err("news\n");
  all.write("news\n");
  await until("both lines", () => heard.length === 2);
  assertEquals(heard.sort(), ["stderr bad news", "stdout good news"]);
  // A change of either file alone is noticed.
  err("more\n");
  await until("the third line", () => heard.length === 3);
  assertEquals(heard.at(-1), "stderr more");
});

Deno.test("multi-byte characters survive being cut anywhere", () => {
  using all = bench();
  const bytes = new TextEncoder().encode("größe €uro 🚀\n");
  for (const byte of bytes) {
    Deno.writeFileSync(all.path, new Uint8Array([byte]), { append: true });
    all.logs.lines("web-1", 1);
  }
  assertEquals(all.logs.lines("web-1", 1)[0]?.line, "größe €uro 🚀");
});

Deno.test("a log file is rotated under the program that appends to it, and nothing is lost", async () => {
  using all = bench(1_000);
  // The program keeps its descriptor.
  using file = Deno.openSync(all.path, { append: true, create: true });
  const heard: string[] = [];
  all.logs.follow("web-1", (lines) => heard.push(...lines.map((each) => each.line)));
  const written: string[] = [];
  const encoder = new TextEncoder();
  for (let batch = 0; batch < 12; batch++) {
    for (let line = 0; line < 10; line++) {
      const text = `batch ${batch} line ${line} `.padEnd(60, ".");
      written.push(text);
      file.writeSync(encoder.encode(`${text}\n`));
    }
    await until("read", () => heard.length === written.length);
  }
  assertEquals(heard, written);
  const kept = [...Array(LOG_FILES).keys()].map((age) =>
    Deno.readTextFileSync(`${all.path}.${age + 1}`)
  );
  const files = [...kept.reverse(), Deno.readTextFileSync(all.path)].join("");
  assertEquals(files.trimEnd().split("\n"), written.slice(-files.trimEnd().split("\n").length));
  assert(kept.every((text) => text.length >= 600));
  assert(
    ![...Deno.readDirSync(all.path.slice(0, -4))].some(({ name }) =>
      name === `log.${LOG_FILES + 1}`
    ),
  );
});

Deno.test("a program that writes without a pause loses no line to rotation, and fills no disk", async () => {
  await using helper = new Helper("/usr/bin:/bin");
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-logs-" });
  Deno.mkdirSync(`${folder}/web-1`);
  const path = `${folder}/web-1/log`;
  Deno.writeTextFileSync(path, "x".repeat(8_191) + "\n");
  if (!await helper.punch(path, 4_096)) {
    return console.log("not run: files cannot have holes here");
  }
  Deno.removeSync(path);
  const fileBytes = 200_000;
  const punch = (path: string, bytes: number) => helper.punch(path, bytes);
  let logs = new Logs(folder, { fileBytes, punch });
  const LINES = 60_000;
  const heard: string[] = [];
  const follow = () =>
    logs.follow("web-1", (lines) => heard.push(...lines.map((each) => each.line)));
  follow();
  const writer = new Deno.Command("/bin/sh", {
    args: [
      "-c",
      `exec >>"$0"; i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "$i of a line of some length"; done`,
      path,
    ],
  }).spawn();
  await until("a third was heard", () => heard.length > LINES / 3, 60_000);
  // The daemon starts again in the middle: it reads on after the hole, which is no line.
  logs[Symbol.dispose]();
  const before = heard.splice(0);
  logs = new Logs(folder, { fileBytes, punch });
  logs.lines("web-1", 1);
  const again = logs.lines("web-1", 1_000);
  assert(!again.some(({ line }) => line.includes("\0")), "no hole was read as a line");
  heard.push(...again.map((each) => each.line));
  follow();
  assertEquals((await writer.status).code, 0);
  await until("the last line was heard", () => {
    logs.lines("web-1", 1);
    return heard.at(-1)?.startsWith(`${LINES} `);
  }, 60_000);
  // The ring of the new start begins somewhere; from there on none is missing and none comes twice.
  for (const lines of [before, heard]) {
    const numbers = lines.map((line) => Number.parseInt(line));
    const first = numbers[0]!;
    assertEquals(numbers, numbers.map((_, at) => first + at));
  }
  assertEquals(Number.parseInt(before[0]!), 1);
  const { blocks, size } = Deno.statSync(path);
  assert(size > 5 * fileBytes, `${size} bytes long`);
  await until("its beginning is given back", () => Deno.statSync(path).blocks! * 512 < size / 2);
  assert(blocks !== null);
  logs[Symbol.dispose]();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a large old log is read from near its end", () => {
  using all = bench();
  const line = `${"x".repeat(99)}\n`;
  for (let part = 0; part < 30; part++) all.write(line.repeat(1_000));
  all.write("last\n");
  const lines = all.logs.lines("web-1", 5);
  assertEquals(lines.at(-1)?.line, "last");
});

Deno.test("forget() closes nothing that is followed", () => {
  using all = bench();
  all.write("one\n");
  all.logs.lines("web-1", 1);
  const leave = all.logs.follow("web-1", () => {});
  all.logs.forget("web-1");
  leave();
  all.logs.forget("web-1");
  assertEquals(all.logs.lines("web-1", 1)[0]?.line, "one");
});
