import { assertEquals, assertStringIncludes } from "@std/assert";
import { NODE_RECORDS } from "../core/limits.ts";
import { makeRecord } from "./fake_world.ts";
import { Records } from "./records.ts";

function held(records: Records, sequence: number) {
  return records.need(sequence).answer.at;
}

Deno.test("a record is held only once it is verified, and kept on disk then", () => {
  const records = new Records();
  const record = makeRecord(3, "web");
  assertEquals(held(records, 3), "absent");
  assertEquals(records.receive(record), true);
  assertEquals(records.receive(record), false);
  assertEquals(held(records, 3), "verifying");
  assertEquals(records.settle(3, null), [record]);
  assertEquals(held(records, 3), "held");
  assertEquals(records.receive(record), false);
  assertEquals(records.sequence, 3);
});

Deno.test("records go to disk in the order of the log, whichever is verified first", () => {
  const records = new Records();
  const [one, two, three] = [1, 2, 3].map((sequence) => makeRecord(sequence, "web"));
  for (const record of [one!, two!, three!]) records.receive(record);
  assertEquals(records.settle(3, null), []);
  assertEquals(records.settle(1, "no key"), []);
  assertEquals(records.settle(2, null), [two!, three!]);
});

Deno.test("a record from disk is verified when it is needed, and not written again", () => {
  const records = new Records();
  const record = makeRecord(3, "web");
  records.load(record);
  assertEquals(records.sequence, 3);
  assertEquals(records.need(3).verify, record);
  assertEquals(records.need(3).verify, undefined);
  assertEquals(records.settle(3, null), []);
  assertEquals(held(records, 3), "held");
});

Deno.test("a refused record says why, and counts again when it comes anew and verifies", () => {
  const records = new Records();
  records.receive(makeRecord(3, "web"));
  assertEquals(records.settle(3, "no key"), []);
  assertEquals(records.need(3).answer, { at: "refused", reason: "no key" });
  assertEquals(records.receive(makeRecord(3, "web")), true);
  records.settle(3, null);
  assertEquals(held(records, 3), "held");
});

Deno.test("verified records that cannot be run are kept, and say why they do not run", () => {
  const records = new Records();
  const broken = { ...makeRecord(1, "web"), text: "APPLY|id-000001|web|1|-|bm9wZQ==|1700000000" };
  records.receive(broken);
  assertEquals(records.settle(1, null), [broken]);
  const { answer } = records.need(1);
  assertStringIncludes(answer.at === "refused" ? answer.reason : "", "manifest with errors");
  const other = {
    ...makeRecord(2, "web"),
    text: makeRecord(2, "api").text.replace("|api|", "|web|"),
  };
  records.receive(other);
  records.settle(2, null);
  assertEquals(held(records, 2), "refused");
});

Deno.test("other commands are kept on disk and run nothing", () => {
  const records = new Records();
  const down = { ...makeRecord(4, "web"), text: "DOWN|id-000004|web|1700000000" };
  records.receive(down);
  assertEquals(records.settle(4, null), [down]);
  assertEquals(held(records, 4), "refused");
});

Deno.test("what the log's head has passed without coming does not exist", () => {
  const records = new Records();
  records.reachHead(9);
  assertEquals([held(records, 9), held(records, 10), records.sequence], ["refused", "absent", 9]);
});

Deno.test("only the newest manifests of an app are held", () => {
  const records = new Records();
  for (let sequence = 1; sequence <= NODE_RECORDS + 5; sequence++) {
    records.receive(makeRecord(sequence, "web"));
    records.settle(sequence, null);
  }
  assertEquals([held(records, 5), held(records, 6)], ["refused", "held"]);
});

Deno.test("a manifest of which only the path is signed is run only where paths are trusted", () => {
  const record = {
    ...makeRecord(5, "web"),
    text: "SUBMIT|/srv/web.skr8tr|1700000000",
    manifest: "app web\n  exec /bin/web\n",
  };
  const answers = [false, true].map((trust) => {
    const records = new Records(trust);
    records.receive(record);
    records.settle(5, null);
    return records.need(5).answer;
  });
  assertEquals(answers.map((each) => each.at), ["refused", "held"]);
  assertStringIncludes(answers[0]?.at === "refused" ? answers[0].reason : "", "--trust-paths");
});
