import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fingerprint } from "../core/signed.ts";
import { start } from "../conductor/live/rig_test.ts";
import { isSource } from "./dev.ts";
import { makeKeys } from "./keys.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

Deno.test("isSource() leaves out what is made, hidden or a tool's", () => {
  const watched = { folders: new Set(["/shop"]), made: ["/shop/dist"] };
  const is = (path: string) => isSource(path, watched);
  assertEquals(is("/shop/server.ts"), true);
  assertEquals(is("/shop/shop.skr8tr"), true);
  for (const path of ["dist", "dist/server.js", ".git/index", "node_modules/x", "a/.b.swp", "x~"]) {
    assertEquals(is(`/shop/${path}`), false, path);
  }
  assertEquals(
    isSource("/home/.me/shop/a", { folders: new Set(["/home/.me/shop"]), made: [] }),
    true,
  );
});

Deno.test("dev deploys again what is saved, and goes on after a mistake", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-dev-" });
  await makeKeys(`${folder}/signing.sec`, `${folder}/ops.pub`);
  const key = await Deno.readFile(`${folder}/ops.pub`);
  const conductor = await start(`${folder}/conductor`, {
    operators: new Map([[fingerprint(key), key]]),
  });
  const { hostname, port } = conductor.commands;
  await Deno.mkdir(`${folder}/src`);
  const manifest = (lines: string) =>
    Deno.writeTextFile(
      `${folder}/src/app.skr8tr`,
      `app web\n  exec \${ARTIFACT}/server\n${lines}  artifact {\n    from dist\n  }\n` +
        "  build {\n    run mkdir -p dist && cp server dist/server\n    out dist/server\n  }\n" +
        "  rollout {\n    timeout 1s\n  }\n",
    );
  await Deno.writeTextFile(`${folder}/src/server`, "one");
  await manifest("");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", `${ROOT}/cli/main.ts`, "--key", `${folder}/signing.sec`],
      ...["--conductor", `${hostname}:${port}`, "dev", `${folder}/src/app.skr8tr`],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = { text: "" };
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) said.text += part;
  };
  const streams = [keep(child.stdout), keep(child.stderr)];
  /** What was said up to the next time that it watches. */
  const turn = async (): Promise<string> => {
    const end = performance.now() + 60_000;
    for (;;) {
      const cut = said.text.indexOf("watching; Ctrl-C ends");
      if (cut >= 0) {
        const text = said.text.slice(0, cut);
        said.text = said.text.slice(cut + "watching; Ctrl-C ends".length);
        return text;
      }
      if (performance.now() > end) throw new Error(`it does not watch: ${said.text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    assertMatch(await turn(), /^web generation 1\b/m);
    await Deno.writeTextFile(`${folder}/src/server`, "two");
    assertMatch(await turn(), /^web generation 2\b/m);
    await manifest("  replcas 2\n");
    assertStringIncludes(await turn(), 'did you mean "replicas"?');
    await manifest("  replicas 2\n");
    assertMatch(await turn(), /^web generation 3\b/m);
  } finally {
    child.kill("SIGTERM");
    await child.status;
    await Promise.all(streams);
    await conductor.stop("the test is over");
    await Deno.remove(folder, { recursive: true });
  }
});
