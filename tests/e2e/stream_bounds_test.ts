// Streams are bounded: who asks for one and says nothing, or the wrong thing, holds nothing for long.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { NODE_STREAMS } from "../../core/limits.ts";
import { HOST, id, keysOf, ROOT, signedBy, TrustCluster } from "./trust_cluster.ts";

/** What becomes of a stream that is opened with these words, or with none. */
function tried(url: string, words?: string) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const answer = Promise.withResolvers<{ error?: string; status?: number } | null>();
  const open = Promise.withResolvers<boolean>();
  socket.onopen = () => {
    open.resolve(true);
    if (words !== undefined) socket.send(new TextEncoder().encode(words));
  };
  // What follows the answer is sealed.
  const first = ({ data }: MessageEvent) =>
    answer.resolve(JSON.parse(new TextDecoder().decode(data)));
  socket.addEventListener("message", first, { once: true });
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = () => {
    open.resolve(false);
    answer.resolve(null);
  };
  return { socket, open: open.promise, answer: answer.promise };
}

Deno.test("who asks for a stream and says nothing holds a place only for a moment", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  const node = await cluster.startNode("one");
  const url = `ws://${HOST}:${node.udp.address.port}/stream`;
  const silent = Array.from({ length: NODE_STREAMS }, () => tried(url));
  for (const { open } of silent) assert(await open);
  assert(!await tried(url).open, "one too many");
  // They are let go by themselves.
  for (const { answer } of silent) assertEquals(await answer, null);
  const next = tried(url, "what?");
  assert(await next.open, "there is room again");
  assertEquals((await next.answer)?.status, 403);
  next.socket.close();
});

Deno.test("the conductor carries no stream but one that an operator has signed", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  await cluster.startNode("one");
  await cluster.up("web", "  exec /bin/sleep\n  args 600\n  grace 1s");
  const [{ replica = "" } = {}] = (await cluster.ready("web", 1)).replicas;
  const url = `ws://${HOST}:${cluster.port}/stream`;
  const key = new Uint8Array(1_184).toBase64();
  const open = (details: object, of = replica) =>
    `OPEN|${id()}|exec|web|${of}|${btoa(JSON.stringify(details))}`;
  const refused: [string, string, string][] = [
    ["no command", "hello", "a stream begins with a signed OPEN"],
    [
      "another command",
      signedBy(ROOT, "DOWN|bounds-0001|web"),
      "a stream begins with a signed OPEN",
    ],
    ["unsigned", open({ key, line: "id" }), "UNAUTHORIZED"],
    ["by nobody known", signedBy(keysOf(9), open({ key, line: "id" })), "UNAUTHORIZED"],
    ["no such replica", signedBy(ROOT, open({ key, line: "id" }, "web.77")), "not found: web.77"],
    ["no details", signedBy(ROOT, open({ line: "id" })), "the details of this exec cannot be read"],
  ];
  for (const [what, words, error] of refused) {
    const { answer } = tried(url, words);
    assertStringIncludes((await answer)?.error ?? "", error, what);
  }
  // The key is well formed for the conductor, and the node says the rest.
  const good = signedBy(ROOT, open({ key, line: "id" }));
  const first = tried(url, good);
  assert("ciphertext" in (await first.answer)!, "it is carried");
  first.socket.close();
  assertStringIncludes((await tried(url, good).answer)?.error ?? "", "UNAUTHORIZED", "only once");
});
