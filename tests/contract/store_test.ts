import { SqliteStore } from "../../conductor/live/store_sqlite.ts";
import { type Memory, MemoryStore } from "./memory_store.ts";
import { sharedStoreContract } from "./shared_store.ts";
import { storeContract } from "./store.ts";

const memoryStore = () => {
  const memory: Memory = { entries: [], snapshot: null, watchers: new Set() };
  return Promise.resolve(() => Promise.resolve(new MemoryStore(memory)));
};

storeContract("memory", memoryStore);
sharedStoreContract("memory", memoryStore);

storeContract("SQLite", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-store-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return () => Promise.resolve(new SqliteStore(`${folder}/log.db`));
});
