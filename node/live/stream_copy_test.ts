import { assertEquals } from "@std/assert";
import { endGroup } from "./beside.ts";
import { COPY_IN } from "./stream_copy.ts";

Deno.test("a copy that is ended twice takes away what it had begun, whenever the second signal comes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-copy-test-" });
  const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
  // Enough that taking it away takes a while, and no end of the archive.
  const made = await Deno.makeTempDir({ prefix: "skr8tr-copy-test-" });
  for (let at = 0; at < 400; at++) Deno.writeFileSync(`${made}/${at}`, new Uint8Array(10_000));
  const tar = new Deno.Command("tar", { args: ["-cf", "-", "-C", made, "."], stdout: "piped" });
  const archive = (await tar.output()).stdout.subarray(0, 4_000_000);
  try {
    for (let afterMs = 0; afterMs < 40; afterMs++) {
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", COPY_IN, "copy", "", "", `${folder}/big`, "any", folder],
        stdin: "piped",
        stdout: "null",
        stderr: "null",
        detached: true,
      }).spawn();
      const writer = child.stdin.getWriter();
      writer.write(archive).catch(() => {});
      const endMs = performance.now() + 10_000;
      while (names().length === 0 && performance.now() < endMs) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      endGroup(child.pid, "SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, afterMs / 8));
      endGroup(child.pid, "SIGTERM");
      assertEquals((await child.status).success, false);
      await writer.abort().catch(() => {});
      assertEquals(names(), [], `the second signal came after ${afterMs / 8} ms`);
    }
  } finally {
    for (const each of [folder, made]) await Deno.remove(each, { recursive: true });
  }
});
