import { assertEquals } from "@std/assert";
import { sha256Hex } from "../../core/bytes.ts";
import type { Announced } from "../artifacts.ts";
import { ArtifactCopies, type Source } from "./artifact_copies.ts";
import { ArtifactStore } from "./artifacts.ts";
import { withFolder } from "./rig_test.ts";

const BYTES = crypto.getRandomValues(new Uint8Array(60_000));
const SHA256 = sha256Hex(BYTES);

function storeIn(folder: string, announced: Announced): ArtifactStore {
  return new ArtifactStore(folder, {
    announced: (sha256) => sha256 === SHA256 ? announced : undefined,
    wanted: () => new Set([SHA256]),
    holders: () => [],
  });
}

const url = new URL(`http://localhost/artifacts/${SHA256}?offset=0`);

async function put(store: ArtifactStore, bytes: Uint8Array<ArrayBuffer>, id: string) {
  const headers = { "skr8tr-upload": id };
  return await store.answer(
    new Request(url, { method: "POST", headers, body: bytes }),
    SHA256,
    url,
  );
}

async function has(store: ArtifactStore): Promise<boolean> {
  return (await store.answer(new Request(url, { method: "HEAD" }), SHA256, url)).status === 200;
}

Deno.test("a standby fetches what is wanted, goes on where it was, and keeps nothing false", async () => {
  await withFolder(async (folder) => {
    const announced = { id: "upload-000001", bytes: BYTES.length } as Announced;
    const leader = storeIn(`${folder}/leader`, announced);
    assertEquals((await put(leader, BYTES, announced.id)).status, 200);
    const standby = storeIn(`${folder}/standby`, announced);
    // The beginning came already.
    await put(standby, BYTES.slice(0, 10_000), announced.id);
    const asked: (string | null)[] = [];
    const answering = (answer: (request: Request) => Response | Promise<Response>): Source =>
    (
      path,
      { headers },
    ) => {
      asked.push(headers.range ?? null);
      return Promise.resolve(answer(new Request(new URL(path, url), { headers })));
    };
    const gone = answering(() => new Response("not here", { status: 404 }));
    const liar = answering(() => new Response(new Uint8Array(50_000), { status: 206 }));
    const honest = answering((request) => leader.answer(request, SHA256, url));
    let sources: Source[] = [gone, liar];
    const reports: (readonly string[])[] = [];
    using copies = new ArtifactCopies({
      store: standby,
      announced: () => announced,
      wanted: () => new Set(),
      // No app names it yet.
      recent: () => [SHA256],
      sources: () => sources,
      report(has) {
        reports.push(has);
        return Promise.reject(new Error("whoever leads is gone"));
      },
    });
    await copies.look();
    assertEquals(await has(standby), false);
    assertEquals(reports, []);
    sources = [gone, honest];
    await copies.look();
    assertEquals(await has(standby), true);
    assertEquals(reports, [[SHA256]], "whoever waits for it is told at once");
    assertEquals(asked[0], "bytes=10000-");
    const there = await standby.answer(new Request(url), SHA256, url);
    assertEquals(sha256Hex(new Uint8Array(await there.arrayBuffer())), SHA256);
    const before = asked.length;
    await copies.look();
    assertEquals(asked.length, before, "what is here is not asked for");
  });
});
