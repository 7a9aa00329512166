import { SqliteStore } from "../../conductor/live/store_sqlite.ts";
import { type Memory, MemoryStore } from "./memory_store.ts";
import { storeContract } from "./store.ts";

storeContract("memory", () => {
  const memory: Memory = { entries: [], snapshot: null };
  return Promise.resolve(() => Promise.resolve(new MemoryStore(memory)));
});

storeContract("SQLite", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-store-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return () => Promise.resolve(new SqliteStore(`${folder}/log.db`));
});
