import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Asker } from "./live/testing.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;

const STATE = await Deno.makeTempDir({ prefix: "skr8tr-tower-" });
globalThis.addEventListener("unload", () => Deno.removeSync(STATE, { recursive: true }));

function run(...args: readonly string[]): Deno.ChildProcess {
  const files = [`--allow-read=${STATE}`, `--allow-write=${STATE}`];
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--unstable-net", "--allow-net=127.0.0.1", ...files],
      ...[MAIN, `--state=${STATE}`, ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits for the line that says where it listens; the rest is read and thrown away. */
async function listening(process: Deno.ChildProcess): Promise<number> {
  let text = "";
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the tower ended: ${text}`);
    text += value;
    const port = /listening on 127\.0\.0\.1:([0-9]+)/.exec(text)?.[1];
    if (port === undefined) continue;
    (async () => {
      while (!(await reader.read()).done);
    })();
    return Number(port);
  }
}

Deno.test("tower/main.ts with an open mesh survives SIGKILL by starting anew", async () => {
  const first = run("--mesh", "open", "--port", "0", "--dns", "0");
  const port = await listening(first);
  {
    await using asker = new Asker({ hostname: "127.0.0.1", port });
    assertEquals(await asker.ask("REGISTER|api|10.0.0.1|80"), "OK|REGISTERED|api");
  }
  first.kill("SIGKILL");
  await Promise.all([first.status, first.stdout.cancel()]);
  const second = run("--mesh", "open", "--port", String(port), "--dns", "0");
  await listening(second);
  {
    await using asker = new Asker({ hostname: "127.0.0.1", port });
    assertEquals(await asker.ask("LIST"), "OK|LIST|0|");
  }
  second.kill("SIGTERM");
  const [status] = await Promise.all([second.status, second.stdout.cancel()]);
  assertEquals(status.code, 0);
});

for (
  const [what, args, code, text] of [
    ["--help", ["--help"], 0, "--plain CIDR"],
    ["an unknown flag", ["--nonsense"], 2, "unknown argument --nonsense"],
    ["a port that is none", ["--port", "70000"], 2, "--port needs a whole number"],
    [
      "a network that is none",
      ["--port", "0", "--plain", "10.0.0.0/99"],
      2,
      "--plain needs a network",
    ],
    ["no token", ["--port", "0"], 2, "give --join TOKEN"],
  ] as const
) {
  Deno.test(`tower/main.ts answers ${what} with exit code ${code}`, async () => {
    const output = await run(...args).output();
    const said = new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
    assertStringIncludes(said, text);
    assertEquals(output.code, code);
    assertMatch(said, /tower/);
  });
}
