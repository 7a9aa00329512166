import { assert, assertEquals } from "@std/assert";
import { TELEMETRY_SAMPLES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import { withFolder } from "./rig_test.ts";
import { TelemetryStore } from "./telemetry_store.ts";

function line(number: number, rest: Partial<LogView> = {}): LogView {
  return {
    wallMs: number,
    app: "api",
    replica: "api.1",
    node: "n",
    line: `line ${number}`,
    ...rest,
  };
}

Deno.test("TelemetryStore finds lines by app, node, text and time, the newest of them", async () => {
  await withFolder(async (folder) => {
    const store = new TelemetryStore(`${folder}/t.db`, 1_000_000);
    store.add([1, 2, 3, 4].map((number) => line(number)));
    store.add([line(5, { app: "web", replica: "web.1", node: "m", line: "50% of 'it'; --" })]);
    const found = async (search: Parameters<TelemetryStore["search"]>[0]) =>
      (await store.search(search)).map((each) => each.wallMs);
    assertEquals(await found({ limit: 100 }), [1, 2, 3, 4, 5]);
    assertEquals(await found({ limit: 2 }), [4, 5]);
    assertEquals(await found({ limit: 9, app: "api", sinceWallMs: 3 }), [3, 4]);
    assertEquals(await found({ limit: 9, node: "m" }), [5]);
    assertEquals(await found({ limit: 9, grep: "50%" }), [5]);
    assertEquals(await found({ limit: 9, grep: "'it'; --" }), [5]);
    assertEquals(await found({ limit: 9, grep: "%" }), [5], "what is sought is no pattern");
    store.close();
  });
});

Deno.test("TelemetryStore keeps to its size, the newest lines, and over a restart", async () => {
  await withFolder(async (folder) => {
    const maxBytes = 100_000;
    let store = new TelemetryStore(`${folder}/t.db`, maxBytes);
    for (let at = 0; at < 5_000; at += 100) {
      store.add(Array.from({ length: 100 }, (_, step) => line(at + step)));
      assert(store.bytes <= maxBytes);
    }
    const kept = await store.search({ limit: 10_000 });
    assertEquals(kept.at(-1)?.wallMs, 4_999);
    assertEquals(kept.length, kept.at(-1)!.wallMs - kept[0]!.wallMs + 1);
    const { bytes } = store;
    store.close();
    store = new TelemetryStore(`${folder}/t.db`, maxBytes);
    assertEquals(store.bytes, bytes);
    assertEquals(await store.search({ limit: 10_000 }), kept);
    store.close();
  });
});

Deno.test("TelemetryStore keeps the last samples, and begins a damaged file anew", async () => {
  await withFolder(async (folder) => {
    let store = new TelemetryStore(`${folder}/t.db`, 1_000);
    for (let wallMs = 0; wallMs < TELEMETRY_SAMPLES + 10; wallMs += 1_000) {
      store.addSample({ wallMs, nodes: {}, apps: {} });
    }
    assertEquals(store.samples(2_000)[0]?.wallMs, 2_000);
    store.close();
    await Deno.writeFile(`${folder}/t.db`, new Uint8Array(8_192).fill(0x5a));
    store = new TelemetryStore(`${folder}/t.db`, 1_000);
    assertEquals(await store.search({ limit: 10 }), []);
    store.add([line(1)]);
    assertEquals((await store.search({ limit: 10 })).length, 1);
    store.close();
  });
});

Deno.test("with a key TelemetryStore finds the same, and nothing stands in its file in plain", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/t.db`;
    const key = new Uint8Array(32).fill(7);
    // What was kept in plain before there was a key is not left lying there.
    let store = new TelemetryStore(path, 10_000_000);
    store.add([line(1, { line: "a plain secret" })]);
    store.close();
    store = new TelemetryStore(path, 10_000_000, key);
    assertEquals(await store.search({ limit: 9 }), []);
    const lines = Array.from(
      { length: 3_000 },
      (_, at) =>
        at % 3 === 0
          ? line(at, {
            line: `order ${at} of a secret kind with "${at === 6 ? "quotes" : "none"}"`,
          })
          : line(at, { app: "web", replica: "web.1", node: "m", stream: "stderr" }),
    );
    for (let at = 0; at < lines.length; at += 500) {
      store.add(
        lines.slice(at, at + 500),
        new Map([["web.1", { boot: "b", number: at, last: [] }]]),
      );
    }
    store.addSample({
      wallMs: 5,
      nodes: { "node-secret": { cpuPercent: 1, ramPercent: 2 } },
      apps: {},
    });
    const check = async () => {
      assertEquals(await store.search({ limit: 10_000 }), lines);
      const newest = (count: number, of = lines) => of.slice(-count);
      assertEquals(await store.search({ limit: 7 }), newest(7));
      assertEquals(
        await store.search({ limit: 9, app: "web" }),
        newest(9, lines.filter((each) => each.app === "web")),
      );
      assertEquals(await store.search({ limit: 9, grep: "order 3 " }), [lines[3]!]);
      assertEquals(await store.search({ limit: 9, grep: 'with "quotes"' }), [lines[6]!]);
      assertEquals((await store.search({ limit: 9, node: "m", sinceWallMs: 2_998 })).length, 2);
      assertEquals(store.samples(0).length, 1);
      assertEquals(store.cursors().map(([replica]) => replica), ["web.1"]);
    };
    await check();
    const { bytes } = store;
    store.close();
    for await (const { name } of Deno.readDir(folder)) {
      const kept = new TextDecoder("latin1").decode(await Deno.readFile(`${folder}/${name}`));
      for (const word of ["secret", "api.1", "web.1"]) {
        assert(!kept.includes(word), `${word} in ${name}`);
      }
    }
    store = new TelemetryStore(path, 10_000_000, key);
    assertEquals(store.bytes, bytes);
    await check();
    store.close();
    // Another key opens nothing, and harms nothing.
    store = new TelemetryStore(path, 10_000_000, new Uint8Array(32).fill(8));
    assertEquals([await store.search({ limit: 9 }), store.cursors()], [[], []]);
    store.close();
  });
});
