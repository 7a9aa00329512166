import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Entry, type LogStore, nextEntry } from "../../core/log.ts";
import { hasNats, NatsCluster } from "../../tests/contract/nats_cluster.ts";
import { backUp, bringBack, copyLog } from "./move_store.ts";
import { apply, post, start, withFolder } from "./rig_test.ts";
import { SqliteStore } from "./store_sqlite.ts";

const HOST = "127.0.44.31";

async function fill(store: LogStore, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let step = 0; step < count; step++) {
    const body = { kind: "node", node: "0".repeat(32), name: `node-${step}` } as const;
    const entry = nextEntry(await store.head(), 1_795_177_690_123, body);
    await store.append(entry);
    entries.push(entry);
  }
  return entries;
}

async function words(work: () => Promise<unknown>): Promise<string> {
  return ((await assertRejects(work)) as Error).message;
}

async function main(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../cli/main.ts", import.meta.url).pathname, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

Deno.test("a backup is brought back whole, and goes on where it was broken off", async () => {
  await withFolder(async (folder) => {
    const store = new SqliteStore(`${folder}/log.db`);
    const entries = await fill(store, 1_200);
    const file = `${folder}/backup`;
    assertEquals((await backUp(store, file, null)).sequence, 1_200);
    await store.close();
    const again = new SqliteStore(`${folder}/again.db`);
    for (const entry of entries.slice(0, 700)) await again.append(entry);
    assertEquals((await bringBack(file, again, null)).sequence, 1_200);
    assertEquals(await again.read(0, 5_000), entries);
    const other = new SqliteStore(`${folder}/other.db`);
    const body = { kind: "node", node: "1".repeat(32), name: "other" } as const;
    await other.append(nextEntry(await other.head(), 1, body));
    assertStringIncludes(await words(() => bringBack(file, other, null)), "give an empty one");
    assertStringIncludes(await words(() => copyLog(again, other)), "entries of another log");
    await again.close();
    await other.close();
  });
});

Deno.test("a backup that was cut, changed or encrypted by another key writes nothing", async () => {
  await withFolder(async (folder) => {
    const store = new SqliteStore(`${folder}/log.db`);
    await fill(store, 5);
    const key = crypto.getRandomValues(new Uint8Array(32));
    const [plain, sealed] = [`${folder}/plain`, `${folder}/sealed`];
    await backUp(store, plain, null);
    await backUp(store, sealed, key);
    await store.close();
    const target = new SqliteStore(`${folder}/target.db`);
    const text = await Deno.readTextFile(plain);
    const lines = text.trimEnd().split("\n");
    const broken: [string, string][] = [
      [lines.slice(0, -1).join("\n"), "its end is missing"],
      [lines.toSpliced(3, 1).join("\n"), "one is missing or out of place"],
      [text.replace("node-2", "node-9"), "was changed"],
      [`${text}more\n`, "something follows its end"],
      [lines.slice(1).join("\n"), "does not begin as one"],
    ];
    for (const [content, why] of broken) {
      await Deno.writeTextFile(`${folder}/broken`, content);
      assertStringIncludes(await words(() => bringBack(`${folder}/broken`, target, null)), why);
    }
    assert(!(await Deno.readTextFile(sealed)).includes("node-2"));
    assertStringIncludes(await words(() => bringBack(sealed, target, null)), "--at-rest-key");
    assertEquals((await target.head()).sequence, 0);
    assertEquals((await bringBack(sealed, target, key)).sequence, 5);
    await target.close();
  });
});

Deno.test({
  name: "a conductor's log moves from SQLite to NATS and back by one command each (skr8tr store)",
  ignore: !hasNats(),
  async fn() {
    await using nats = await NatsCluster.start({ size: 1, hostname: HOST });
    await withFolder(async (folder) => {
      const first = await start(`${folder}/one`);
      const url = `http://${first.commands.hostname}:${first.commands.port}`;
      assertEquals(await post(url, apply("web")), "OK|APPLIED|web|1");
      await first.stop("the test moves its log");
      const store = `nats://${nats.servers[0]!.address}/moved`;
      const there = await main("store", "copy", `${folder}/one/log.db`, store);
      assertStringIncludes(there, "entries as in");
      assertStringIncludes(await main("store", "backup", store, `${folder}/backup`), "entries of");
      const back = await main("store", "copy", store, `${folder}/two.db`);
      assertEquals(back.split(" ").slice(1, 3), there.split(" ").slice(1, 3));
      await main("store", "restore", `${folder}/backup`, `${folder}/three/log.db`);
      const again = await start(`${folder}/three`);
      const { apps } = await (await fetch(
        `http://${again.commands.hostname}:${again.commands.port}/api/apps`,
      )).json();
      assertEquals(apps.map((each: { app: string }) => each.app), ["web"]);
      await again.stop("the test is over");
    });
  },
});
