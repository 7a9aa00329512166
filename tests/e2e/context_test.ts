import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeKeys } from "../../cli/keys.ts";
import { startConductor } from "../../conductor/live/conductor.ts";
import type { RunningConductor } from "../../conductor/live/settings.ts";
import { readOperators } from "../../conductor/live/open.ts";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { openSealKeys } from "../../core/live/seal_keys.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const HOST = "127.0.26.3";

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Stage extends AsyncDisposable {
  readonly folder: string;
  /** Starts a conductor whose identity lies in this folder, in place of the one before. */
  conductor(name: string): Promise<{ readonly address: string; readonly identity: string }>;
  skr8tr(...words: string[]): Promise<Said>;
}

async function stage(): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-context-" });
  await makeKeys(`${folder}/.skr8tr/signing.sec`, `${folder}/skrtrview.pub`);
  let running: RunningConductor | null = null;
  let port = 0;
  return {
    folder,
    async conductor(name) {
      await running?.stop("another comes");
      const state = `${folder}/${name}`;
      const keys = await openSealKeys(state, "conductor");
      running = await startConductor({
        bind: HOST,
        port,
        meshPort: 0,
        state,
        operators: await readOperators([`${folder}/skrtrview.pub`]),
        tower: { hostname: HOST, port: 9 },
        plain: [],
        keys,
      });
      port = running.commands.port;
      return { address: `${HOST}:${port}`, identity: keys.identity };
    },
    async skr8tr(...words) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}cli/main.ts`, ...words],
        cwd: folder,
        env: {
          HOME: folder,
          DENO_DIR: denoFolder(),
          NO_COLOR: "1",
          SKR8TR_KEY: "",
          SKR8TR_CONDUCTOR: "",
        },
        stdout: "piped",
        stderr: "piped",
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, out: text(stdout), err: text(stderr) };
    },
    async [Symbol.asyncDispose]() {
      await running?.stop("the test is over");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("a context pins its conductor's key, and nobody else can answer in its place", async () => {
  await using test = await stage();
  const { address, identity } = await test.conductor("one");
  const added = await test.skr8tr("context", "add", "home", "--conductor", address);
  assertEquals(added.code, 0, added.err);
  assertStringIncludes(added.err, identity);
  const file = `${test.folder}/.skr8tr/contexts.json`;
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
  assertEquals(JSON.parse(await Deno.readTextFile(file)).contexts.home.pinned.identity, identity);
  const status = await test.skr8tr("status");
  assertEquals(status.code, 0, status.err);
  assertStringIncludes(status.out, "conductor 0.1.0");
  assertStringIncludes((await test.skr8tr("context", "list")).out, identity.slice(0, 16));
  // Signed commands go by the session, too.
  const token = await test.skr8tr("token", "create", "--role", "tower");
  assertStringIncludes(token.out, "skr8tr-join-1.");
  const forget = await test.skr8tr("node", "forget", "nobody");
  assertStringIncludes(forget.err, "no daemon is named nobody");

  await test.conductor("another");
  const refused = await test.skr8tr("status");
  assertEquals(refused.code === 0, false);
  assertStringIncludes(refused.err, "does not hold the key that it was known by");
  assertEquals((await test.skr8tr("context", "rm", "home")).code, 0);
  assertEquals((await test.skr8tr("context", "add", "home", "--conductor", address)).code, 0);
  assertEquals((await test.skr8tr("--context", "home", "nodes")).code, 0);
});

Deno.test("a context may be told its conductor's fingerprint, and takes no other", async () => {
  await using test = await stage();
  const { address, identity } = await test.conductor("one");
  const add = (fingerprint: string) =>
    test.skr8tr("context", "add", "home", "--conductor", address, "--fingerprint", fingerprint);
  const wrong = await add("0".repeat(64));
  assertEquals(wrong.code === 0, false);
  assertStringIncludes(wrong.err, "does not hold the key");
  assertStringIncludes((await test.skr8tr("context", "list")).err, "no contexts");
  assertEquals((await add(identity)).code, 0);
  assertEquals((await test.skr8tr("status")).code, 0);
  const unknown = await test.skr8tr("--context", "away", "status");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.err, "no context is named away");
});

Deno.test("a context takes over what its address was known by, and no other fingerprint", async () => {
  await using test = await stage();
  const { address, identity } = await test.conductor("one");
  const file = `${test.folder}/.skr8tr/contexts.json`;
  // As an address beyond this machine is known after the first command to it.
  assertEquals((await test.skr8tr("context", "add", "first", "--conductor", address)).code, 0);
  const { pinned } = JSON.parse(await Deno.readTextFile(file)).contexts.first;
  const know = (known: unknown) =>
    Deno.writeTextFile(file, JSON.stringify({ contexts: {}, known: { [address]: known } }));
  const add = (...more: string[]) =>
    test.skr8tr("context", "add", "home", "--conductor", address, ...more);

  await know({ ...pinned, identity: "0".repeat(64) });
  const refused = await add("--fingerprint", identity);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.err, `skr8tr context rm ${address}`);
  assertEquals((await test.skr8tr("context", "rm", address)).code, 0);
  assertEquals((await add("--fingerprint", identity)).code, 0);

  await know(pinned);
  assertEquals((await add()).code, 0);
  assertStringIncludes((await test.skr8tr("context", "list")).out, identity.slice(0, 16));
});
