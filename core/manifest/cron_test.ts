import { assertEquals } from "@std/assert";
import { cronFaults, plainCron } from "./cron.ts";

Deno.test("plainCron() writes every field as numbers", () => {
  assertEquals(plainCron("*/20 9-11 1,15 jan,mar mon-fri"), "0,20,40 9,10,11 1,15 1,3 1,2,3,4,5");
  assertEquals(plainCron("5/30 * * * sun"), "5,35 * * * 0");
  assertEquals(plainCron("0 0 * * 6-7"), "0 0 * * 0,6");
  assertEquals(
    plainCron("* */1 * * */8"),
    "* 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23 * * 0",
  );
  assertEquals(cronFaults("* */1 * * */8"), []);
});
