// The external corpora (corpora/README.md of the material that CORPORA names), through the real
// ingress over real sockets.
// Rows 1 and 2 of the scoreboard of faults.

import { assertEquals } from "@std/assert";
import { latin1 } from "../field_block.ts";
import { lanes, runRequestCase, runResponseCase, type StreamCase } from "./stream_cases.ts";

const folder = Deno.env.get("CORPORA");

interface CorpusRequest {
  readonly name: string;
  readonly request_base64: string;
  readonly expect: "accept" | "reject" | "either";
  readonly max_upstream_requests: number;
  readonly incomplete: boolean;
  readonly must_close: boolean;
  readonly never_forward?: readonly string[];
  readonly why: string;
}

interface CorpusResponse {
  readonly name: string;
  readonly response_base64: string;
  readonly request_method: string;
  readonly expect: "accept" | "reject" | "either";
  readonly why: string;
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.fromBase64(base64);
}

async function readCorpus<T>(name: string): Promise<T[]> {
  return JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
}

Deno.test("every request stream of the corpus gets what it deserves", async () => {
  if (folder === undefined) return console.log("not run: CORPORA is not set");
  const corpus = await readCorpus<CorpusRequest>("http1-requests.json");
  const failures: string[] = [];
  await lanes(corpus, async (each, lane) => {
    const stream: StreamCase = {
      bytes: bytesOf(each.request_base64),
      expect: each.expect,
      requests: each.max_upstream_requests,
      neverForward: each.never_forward ?? [],
      mustClose: each.must_close,
    };
    const fault = await runRequestCase(stream, lane);
    if (fault !== null) {
      const text = latin1(stream.bytes, 0, Math.min(300, stream.bytes.length));
      failures.push(
        `${each.name} (${each.expect}: ${each.why}): ${fault}\n${JSON.stringify(text)}`,
      );
    }
  });
  console.log(`corpus: ${corpus.length} request streams, ${failures.length} wrong`);
  assertEquals(failures.join("\n"), "");
});

Deno.test("every response of the corpus gets what it deserves", async () => {
  if (folder === undefined) return console.log("not run: CORPORA is not set");
  const corpus = await readCorpus<CorpusResponse>("http1-responses.json");
  const failures: string[] = [];
  for (const each of corpus) {
    const bytes = bytesOf(each.response_base64);
    const fault = await runResponseCase(bytes, each.request_method, each.expect);
    if (fault !== null) {
      failures.push(
        `${each.name} (${each.expect}: ${each.why}): ${fault}\n` +
          JSON.stringify(latin1(bytes, 0, Math.min(300, bytes.length))),
      );
    }
  }
  console.log(`corpus: ${corpus.length} responses, ${failures.length} wrong`);
  assertEquals(failures.join("\n"), "");
});
