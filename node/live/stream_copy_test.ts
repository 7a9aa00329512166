import { assert, assertEquals } from "@std/assert";
import { endGroup } from "./beside.ts";
import { COPY_IN } from "./stream_copy.ts";

const DEADLINE_MS = 10_000;

/** A folder to copy to, and enough to copy that taking it away takes a while, without its end. */
async function withArchive(
  test: (folder: string, archive: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-copy-test-" });
  const made = await Deno.makeTempDir({ prefix: "skr8tr-copy-test-" });
  try {
    for (let at = 0; at < 400; at++) Deno.writeFileSync(`${made}/${at}`, new Uint8Array(10_000));
    const tar = new Deno.Command("tar", { args: ["-cf", "-", "-C", made, "."], stdout: "piped" });
    await test(folder, (await tar.output()).stdout.subarray(0, 4_000_000));
  } finally {
    for (const each of [folder, made]) await Deno.remove(each, { recursive: true });
  }
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);
const isMade = (folder: string) => namesIn(folder).length > 0;
const isUnpacked = (folder: string) =>
  namesIn(folder).some((name) => namesIn(`${folder}/${name}`).length > 0);

/** Copies until it has come so far, then signals twice; resolves when the copy has ended. */
async function endTwice(
  folder: string,
  archive: Uint8Array<ArrayBuffer>,
  betweenMs: number,
  hasBegun = isMade,
  env: Record<string, string> = {},
): Promise<void> {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", COPY_IN, "copy", "", "", `${folder}/big`, "any", folder],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
    env,
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(archive).catch(() => {});
  const endMs = performance.now() + DEADLINE_MS;
  while (!hasBegun(folder) && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  endGroup(child.pid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, betweenMs));
  endGroup(child.pid, "SIGTERM");
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup(child.pid, "SIGKILL");
  }, DEADLINE_MS);
  // Its standard input stays open: the end must not come from there.
  const { success } = await child.status;
  clearTimeout(timer);
  await writer.abort().catch(() => {});
  assert(!isLate, `the copy goes on ${DEADLINE_MS} ms after two signals`);
  assertEquals(success, false);
}

Deno.test("a copy that is ended twice takes away what it had begun, whenever the second signal comes", () =>
  withArchive(async (folder, archive) => {
    for (let eighths = 0; eighths < 40; eighths++) {
      await endTwice(folder, archive, eighths / 8);
      assertEquals(namesIn(folder), [], `the second signal came after ${eighths / 8} ms`);
    }
  }));

for (
  const [what, hasBegun, name, script] of [
    // As when the signal comes between the shell's fork and the beginning of tar.
    ["tar never hears of the signal", isUnpacked, "tar", `trap '' HUP INT TERM; exec REAL "$@"`],
    [
      "the folder is just being made",
      isMade,
      "mktemp",
      `name=$(REAL "$@"); sleep 0.1; echo "$name"`,
    ],
  ] as const
) {
  Deno.test(`a copy that is ended takes away what it had begun, also where ${what}`, () =>
    withArchive(async (folder, archive) => {
      const path = ["/usr/bin", "/bin"];
      const real = path.map((at) => `${at}/${name}`).find((at) =>
        namesIn(at.slice(0, -name.length)).includes(name)
      );
      assert(real, `no ${name} in ${path.join(" or ")}`);
      const bin = await Deno.makeTempDir({ prefix: "skr8tr-copy-test-" });
      try {
        Deno.writeTextFileSync(`${bin}/${name}`, `#!/bin/sh\n${script.replace("REAL", real)}\n`, {
          mode: 0o755,
        });
        await endTwice(folder, archive, 1, hasBegun, { PATH: [bin, ...path].join(":") });
        assertEquals(namesIn(folder), []);
      } finally {
        await Deno.remove(bin, { recursive: true });
      }
    }));
}
