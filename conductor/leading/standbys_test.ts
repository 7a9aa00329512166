import { assertEquals } from "@std/assert";
import { STANDBY_REPORT_LEASE_MS, STANDBYS } from "../../core/limits.ts";
import { parseStandbyReport, Standbys } from "./standbys.ts";

const [ONE, TWO] = ["1", "2"].map((digit) => digit.repeat(64)) as [string, string];

Deno.test("Standbys knows who has an artifact, for as long as that is said again", () => {
  const standbys = new Standbys();
  standbys.take({ conductor: "a", at: "10.0.0.1:7771", has: [ONE] }, 0);
  standbys.take({ conductor: "b", at: "10.0.0.2:7771", has: [ONE, TWO] }, 1_000);
  assertEquals(standbys.having(ONE, 1_000), ["10.0.0.1:7771", "10.0.0.2:7771"]);
  assertEquals(standbys.having(TWO, 1_000), ["10.0.0.2:7771"]);
  // What it says last is all that it has.
  standbys.take({ conductor: "a", at: "10.0.0.1:7771", has: [] }, 2_000);
  assertEquals([standbys.having(ONE, 2_000).length, standbys.count(2_000)], [1, 2]);
  assertEquals(standbys.count(1_001 + STANDBY_REPORT_LEASE_MS), 1);
  assertEquals(standbys.having(ONE, 1_001 + STANDBY_REPORT_LEASE_MS), []);
});

Deno.test("Standbys remembers no more than a cluster can have", () => {
  const standbys = new Standbys();
  for (let conductor = 0; conductor < STANDBYS + 5; conductor++) {
    standbys.take({ conductor: conductor.toString(16), at: "10.0.0.1:1", has: [ONE] }, conductor);
  }
  assertEquals(standbys.count(STANDBYS + 5), STANDBYS);
});

Deno.test("parseStandbyReport() takes reports only", () => {
  const report = { conductor: "ab", at: "10.0.0.1:7771", has: [ONE] };
  assertEquals(parseStandbyReport(JSON.stringify(report)), report);
  for (const wrong of [{ ...report, has: ["x"] }, { ...report, conductor: "" }, {}, []]) {
    assertEquals(parseStandbyReport(JSON.stringify(wrong)), null);
  }
});
