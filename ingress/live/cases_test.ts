// The project's own tables of hostile requests and responses, through the real ingress.

import { assert, assertEquals } from "@std/assert";
import { ascii } from "../field_block.ts";
import {
  HOSTILE_REQUESTS,
  HOSTILE_RESPONSES,
  REQUEST_CASES,
  RESPONSE_CASES,
} from "../http1_cases.ts";
import { lanes, runRequestCase, runResponseCase } from "./stream_cases.ts";

Deno.test("every hostile request is refused and every good one served", async () => {
  assert(HOSTILE_REQUESTS >= 200, `only ${HOSTILE_REQUESTS} hostile requests`);
  const failures: string[] = [];
  await lanes(REQUEST_CASES, async (each, lane) => {
    const stream = {
      bytes: ascii(each.text),
      expect: each.expect,
      requests: each.requests,
      neverForward: ["00", "0d-without-0a", "request for /hidden"],
      mustClose: each.expect === "reject",
    };
    const fault = await runRequestCase(stream, lane);
    if (fault !== null) failures.push(`${each.name}: ${fault}`);
  });
  assertEquals(failures.join("\n"), "");
});

Deno.test("no broken response reaches a client as a whole one", async () => {
  assert(HOSTILE_RESPONSES >= 60, `only ${HOSTILE_RESPONSES} hostile responses`);
  const failures: string[] = [];
  for (const each of RESPONSE_CASES) {
    const fault = await runResponseCase(ascii(each.text), each.method, each.expect);
    if (fault !== null) failures.push(`${each.name}: ${fault}`);
  }
  assertEquals(failures.join("\n"), "");
});
