// `skr8tr run` where the answer is lost that says whether the run has begun, against a real conductor.

import { assertEquals, assertMatch } from "@std/assert";
import { start } from "../conductor/live/rig_test.ts";
import type { RunningConductor } from "../conductor/live/settings.ts";
import { fingerprint } from "../core/signed.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import { keptOutput } from "./testing/output.ts";

/** A way to a conductor on which answers to commands are lost after they were given. */
class Way implements AsyncDisposable {
  /** How many more answers are lost. */
  losing = 0;
  /** Commands that came, repeats included. */
  commands = 0;
  /** What happens when an answer was lost. */
  onLost: () => Promise<void> = () => Promise.resolve();
  readonly #listener = Deno.listen({ hostname: "127.0.0.9", port: 0 });
  readonly #loop: Promise<void>;

  constructor(public to: { readonly hostname: string; readonly port: number }) {
    this.#loop = this.#accept();
  }

  get address(): string {
    const { hostname, port } = this.#listener.addr as Deno.NetAddr;
    return `${hostname}:${port}`;
  }

  async #accept(): Promise<void> {
    const all: Promise<void>[] = [];
    for await (const client of this.#listener) all.push(this.#carry(client).catch(() => {}));
    await Promise.all(all);
  }

  /** One request a connection, as the CLI makes them. */
  async #carry(client: Deno.TcpConn): Promise<void> {
    using near = client;
    const first = new Uint8Array(65_536);
    const length = await near.read(first) ?? 0;
    const isCommand = new TextDecoder().decode(first.subarray(0, 14)) === "POST /command ";
    using far = await Deno.connect({ hostname: this.to.hostname, port: this.to.port });
    const up = async () => {
      await far.write(first.subarray(0, length));
      const buffer = new Uint8Array(65_536);
      for (let count; (count = await near.read(buffer)) !== null;) {
        await far.write(buffer.subarray(0, count));
      }
    };
    const upward = up().catch(() => {});
    const buffer = new Uint8Array(65_536);
    if (isCommand) this.commands++;
    for (let count; (count = await far.read(buffer)) !== null;) {
      if (isCommand && this.losing > 0) {
        this.losing--;
        await this.onLost();
        return;
      }
      await near.write(buffer.subarray(0, count));
    }
    near.closeWrite();
    await upward;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#loop;
  }
}

async function stage() {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-run-" });
  await makeKeys(`${folder}/signing.sec`, `${folder}/ops.pub`);
  const key = await Deno.readFile(`${folder}/ops.pub`);
  const open = () =>
    start(`${folder}/conductor`, { operators: new Map([[fingerprint(key), key]]) });
  let conductor: RunningConductor = await open();
  const way = new Way(conductor.commands);
  const skr8tr = async (...words: string[]) => {
    const output = keptOutput();
    const options = ["--conductor", way.address, "--key", `${folder}/signing.sec`];
    const code = await main([...options, ...words], output);
    return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
  };
  const manifest = `${folder}/backup.skr8tr`;
  const write = async (...lines: string[]) =>
    await Deno.writeTextFile(manifest, ["app backup", "type job", ...lines, ""].join("\n  "));
  return {
    way,
    skr8tr,
    manifest,
    write,
    async again() {
      await conductor.stop("it is started again");
      conductor = await open();
      way.to = conductor.commands;
    },
    /** The numbers of all runs that there are. */
    async runs() {
      const { out } = await skr8tr("runs", "backup", "--json");
      return JSON.parse(out).runs.map((each: { run: number }) => each.run) as number[];
    },
    async [Symbol.asyncDispose]() {
      await way[Symbol.asyncDispose]();
      await conductor.stop("the test is over");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("run starts one run though its answers are lost, and the conductor starts again meanwhile", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup", "schedule 0 0 1 1 *");
  assertEquals((await at.skr8tr("up", at.manifest)).code, 0);
  at.way.commands = 0;
  at.way.losing = 2;
  at.way.onLost = () => at.again();
  const { code, out, err } = await at.skr8tr("run", "backup", "--json");
  assertEquals([code, out, at.way.commands], [0, '{"app":"backup","run":1}', 3], err);
  assertEquals(err.match(/no answer says whether the run has begun/g)?.length, 1, err);
  assertEquals(await at.runs(), [1]);
});

Deno.test("run of a manifest deploys it once and starts one run though its answers are lost", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup");
  at.way.losing = 2;
  const { code, err } = await at.skr8tr("run", at.manifest);
  assertEquals([code, at.way.commands], [0, 3], err);
  assertMatch(err, /^run 1 of backup$/m);
  assertEquals(await at.runs(), [1]);
});

Deno.test("run says that nobody knows whether the run has begun, what tells, and exits with 2", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup", "schedule 0 0 1 1 *");
  assertEquals((await at.skr8tr("up", at.manifest)).code, 0);
  at.way.losing = Infinity;
  for (const more of [[], ["--wait"]]) {
    const { code, err } = await at.skr8tr("run", "backup", "--timeout", "700ms", ...more);
    assertEquals(code, 2, err);
    assertMatch(
      err,
      /nobody knows whether a run of backup has begun: .*; skr8tr runs backup tells/,
    );
  }
  at.way.losing = 0;
  assertEquals(await at.runs(), [1, 2], "the two had begun, once each");

  // Nothing was sent where nobody is there from the beginning: then that is all there is to say.
  at.way.to = { hostname: "127.0.0.9", port: 1 };
  const absent = await at.skr8tr("run", "backup", "--timeout", "700ms");
  assertEquals([absent.code, absent.err.includes("nobody knows")], [2, false], absent.err);
  assertMatch(absent.err, /the conductor does not answer/);
});

Deno.test("run names a job that is not up", async () => {
  await using at = await stage();
  const { code, err } = await at.skr8tr("run", "backup");
  assertEquals(code, 1);
  assertMatch(err, /no job backup is up/);
});
