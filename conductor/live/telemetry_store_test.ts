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
  await withFolder((folder) => {
    const store = new TelemetryStore(`${folder}/t.db`, 1_000_000);
    store.add([1, 2, 3, 4].map((number) => line(number)));
    store.add([line(5, { app: "web", replica: "web.1", node: "m", line: "50% of 'it'; --" })]);
    const found = (search: Parameters<TelemetryStore["search"]>[0]) =>
      store.search(search).map((each) => each.wallMs);
    assertEquals(found({ limit: 100 }), [1, 2, 3, 4, 5]);
    assertEquals(found({ limit: 2 }), [4, 5]);
    assertEquals(found({ limit: 9, app: "api", sinceWallMs: 3 }), [3, 4]);
    assertEquals(found({ limit: 9, node: "m" }), [5]);
    assertEquals(found({ limit: 9, grep: "50%" }), [5]);
    assertEquals(found({ limit: 9, grep: "'it'; --" }), [5]);
    assertEquals(found({ limit: 9, grep: "%" }), [5], "what is sought is no pattern");
    store.close();
    return Promise.resolve();
  });
});

Deno.test("TelemetryStore keeps to its size, the newest lines, and over a restart", async () => {
  await withFolder((folder) => {
    const maxBytes = 100_000;
    let store = new TelemetryStore(`${folder}/t.db`, maxBytes);
    for (let at = 0; at < 5_000; at += 100) {
      store.add(Array.from({ length: 100 }, (_, step) => line(at + step)));
      assert(store.bytes <= maxBytes);
    }
    const kept = store.search({ limit: 10_000 });
    assertEquals(kept.at(-1)?.wallMs, 4_999);
    assertEquals(kept.length, kept.at(-1)!.wallMs - kept[0]!.wallMs + 1);
    const { bytes } = store;
    store.close();
    store = new TelemetryStore(`${folder}/t.db`, maxBytes);
    assertEquals(store.bytes, bytes);
    assertEquals(store.search({ limit: 10_000 }), kept);
    store.close();
    return Promise.resolve();
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
    assertEquals(store.search({ limit: 10 }), []);
    store.add([line(1)]);
    assertEquals(store.search({ limit: 10 }).length, 1);
    store.close();
  });
});
