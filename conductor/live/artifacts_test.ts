import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { ARTIFACT_PART_BYTES } from "../../core/limits.ts";
import { ArtifactStore } from "./artifacts.ts";
import { id, post, signed, start, withConductor, withFolder } from "./rig_test.ts";

const CONTENT = new Uint8Array(9_000_000).map((_, at) => (at * 7 + (at >> 9)) & 0xff);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

async function announce(url: string, sha256 = SHA256, bytes = CONTENT.length): Promise<string> {
  const upload = id();
  assertEquals(
    await post(url, signed(`UPLOAD|${upload}|${sha256}|${bytes}`)),
    `OK|UPLOAD|${sha256}`,
  );
  return upload;
}

async function send(url: string, upload: string, offset: number, end: number, sha256 = SHA256) {
  const response = await fetch(`${url}/artifacts/${sha256}?offset=${offset}`, {
    method: "POST",
    headers: { "skr8tr-upload": upload },
    body: CONTENT.subarray(offset, end),
  });
  return { status: response.status, ...await response.json() };
}

async function head(url: string, sha256 = SHA256): Promise<[number, string | null]> {
  const response = await fetch(`${url}/artifacts/${sha256}`, { method: "HEAD" });
  return [response.status, response.headers.get("skr8tr-offset")];
}

Deno.test("an artifact comes in parts, goes on after a restart, and is read by ranges", async () => {
  await withFolder(async (folder) => {
    let conductor = await start(folder);
    let url = `http://127.0.0.9:${conductor.commands.port}`;
    let upload: string;
    try {
      assertEquals(await head(url), [404, "0"]);
      upload = await announce(url);
      assertEquals(await send(url, upload, 0, ARTIFACT_PART_BYTES), {
        status: 200,
        offset: ARTIFACT_PART_BYTES,
        complete: false,
      });
      const again = await send(url, upload, 0, 10);
      assertEquals([again.status, again.offset], [409, ARTIFACT_PART_BYTES]);
      assertEquals((await send(url, "somebody-else", ARTIFACT_PART_BYTES, 10)).status, 403);
    } finally {
      await conductor.stop("restart");
    }
    conductor = await start(folder);
    url = `http://127.0.0.9:${conductor.commands.port}`;
    try {
      assertEquals(await head(url), [404, String(ARTIFACT_PART_BYTES)]);
      const middle = await send(url, upload, ARTIFACT_PART_BYTES, 2 * ARTIFACT_PART_BYTES);
      assertEquals(middle.offset, 2 * ARTIFACT_PART_BYTES);
      const last = await send(url, upload, 2 * ARTIFACT_PART_BYTES, CONTENT.length);
      assertEquals([last.status, last.complete], [200, true]);
      assertEquals(await head(url), [200, String(CONTENT.length)]);
      const whole = await fetch(`${url}/artifacts/${SHA256}`);
      const bytes = new Uint8Array(await whole.arrayBuffer());
      assertEquals(createHash("sha256").update(bytes).digest("hex"), SHA256);
      const tail = await fetch(`${url}/artifacts/${SHA256}`, {
        headers: { range: "bytes=8999990-" },
      });
      assertEquals(tail.status, 206);
      assertEquals(new Uint8Array(await tail.arrayBuffer()), CONTENT.subarray(8_999_990));
    } finally {
      await conductor.stop("the test is over");
    }
  });
});

Deno.test("bytes of another digest are thrown away, and more than announced are not taken", async () => {
  await withConductor(async (_, url, folder) => {
    const other = "0".repeat(64);
    const upload = await announce(url, other, 1_000);
    const wrong = await send(url, upload, 0, 1_000, other);
    assertEquals(wrong.status, 422);
    assertMatch(wrong.error, /^its bytes have the digest [0-9a-f]{64}: it changed/);
    assertEquals(await head(url, other), [404, "0"]);
    const more = await send(url, upload, 0, 1_001, other);
    assertEquals(more.status, 507);
    const left = await Array.fromAsync(Deno.readDir(`${folder}/artifacts`));
    assert(left.every(({ name }) => name.endsWith(".part")), JSON.stringify(left));
    assertEquals((await fetch(`${url}/artifacts/..%2flog.db`)).status, 404);
  });
});

Deno.test("an artifact goes to one at a time; the next waits its turn, or asks who has it", async () => {
  await withFolder(async (folder) => {
    const holders: string[] = [];
    const known = {
      announced: () => undefined,
      wanted: () => new Set([SHA256]),
      holders: () => holders,
    };
    const store = new ArtifactStore(folder, known);
    Deno.writeFileSync(`${folder}/${SHA256}`, CONTENT);
    const url = new URL(`http://conductor/artifacts/${SHA256}`);
    const ask = (headers = {}) => store.answer(new Request(url, { headers }), SHA256, url);
    const first = await ask();
    assertEquals(first.status, 200);
    let isAnswered = false;
    const second = ask().then((answer) => {
      isAnswered = true;
      return answer;
    });
    const reader = first.body!.getReader();
    await reader.read();
    assert(!isAnswered, "the second waits while the first is under way");
    await reader.cancel();
    const next = await second;
    assertEquals(next.status, 200);
    holders.push("10.0.0.1:7775");
    const third = await ask();
    assertEquals([third.status, await third.json()], [503, { error: "busy with others", holders }]);
    assertEquals(new Uint8Array(await next.arrayBuffer()), CONTENT);
    const beyond = await ask({ range: `bytes=${CONTENT.length + 1}-` });
    assertEquals(beyond.status, 416);
    await beyond.body?.cancel();
    // Whatever ended, nothing holds a place.
    const fourth = await ask();
    assertEquals(fourth.status, 200);
    await fourth.body?.cancel();
  });
});

Deno.test("a full disk is told to whoever uploads, and the upload goes on when there is room", async () => {
  await withConductor(async (_, url, folder) => {
    const store = `${folder}/artifacts`;
    const mount = async (...options: string[]) => {
      const args = ["-t", "tmpfs", "-o", options.join(","), "none", store];
      const command = new Deno.Command("mount", { args, stderr: "null" });
      return (await command.output().catch(() => ({ success: false }))).success;
    };
    await Deno.mkdir(store, { recursive: true });
    if (!await mount("size=5m")) {
      return console.log("not root, or no tmpfs: a full disk is not tried");
    }
    try {
      const upload = await announce(url);
      assertEquals((await send(url, upload, 0, ARTIFACT_PART_BYTES)).status, 200);
      const end = Math.min(CONTENT.length, 2 * ARTIFACT_PART_BYTES);
      const full = await send(url, upload, ARTIFACT_PART_BYTES, end);
      assertEquals(full, {
        status: 507,
        error: `cannot keep artifact ${SHA256}: the conductor's disk is full`,
      });
      assert(await mount("remount", "size=32m"), "it cannot be made larger");
      let offset = Number((await head(url))[1]);
      assert(offset >= ARTIFACT_PART_BYTES && offset < end, `${offset}`);
      while (offset < CONTENT.length) {
        const part = await send(
          url,
          upload,
          offset,
          Math.min(CONTENT.length, offset + ARTIFACT_PART_BYTES),
        );
        assertEquals(part.status, 200);
        offset = part.offset;
      }
      assertEquals(await head(url), [200, String(CONTENT.length)]);
    } finally {
      await new Deno.Command("umount", { args: ["--lazy", store] }).output();
    }
  });
});
