// What every store that several conductors open must do besides.

import { assert, assertEquals } from "@std/assert";
import { nextEntry, type SharedStore } from "../../core/log.ts";

/** Opens the same store each time it is called, as another conductor does. */
export type OpenShared = () => Promise<SharedStore>;

/** Resolves when the watcher has told that `wanted` holds. @throws after the deadline. */
async function told(
  store: SharedStore,
  wanted: () => Promise<boolean>,
  act: () => Promise<unknown>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _watch = store.watch(() => {
    wanted().then((holds) => holds && resolve(), reject);
  });
  const timer = setTimeout(() => reject(new Error("the watcher was not told in 10 s")), 10_000);
  await act();
  await promise.finally(() => clearTimeout(timer));
}

/** Registers the suite for one implementation. */
export function sharedStoreContract(
  name: string,
  make: () => Promise<OpenShared>,
  options: Pick<Deno.TestDefinition, "ignore"> = {},
): void {
  const test = (what: string, body: (open: OpenShared) => Promise<void>) =>
    Deno.test({
      ...options,
      name: `store ${name}: ${what}`,
      fn: async () => await body(await make()),
    });

  test("whoever watches hears of what another appends", async (open) => {
    const [one, two] = [await open(), await open()];
    const body = { kind: "node", node: "0".repeat(32), name: "node-1" } as const;
    const entry = nextEntry(await one.head(), 1_795_177_690_123, body);
    const isThere = async () => (await two.read(0, 1))[0]?.hash === entry.hash;
    await told(two, isThere, () => one.append(entry));
    await one.close();
    await two.close();
  });

  test("the lease is written only over the revision that was seen", async (open) => {
    const [one, two] = [await open(), await open()];
    assertEquals(await one.lease(), null);
    const first = await one.swapLease(0, "conductor one");
    assert(first !== null && first > 0);
    assertEquals(await two.lease(), { revision: first, holder: "conductor one" });
    assertEquals(await two.swapLease(0, "conductor two"), null);
    const second = await one.swapLease(first, "conductor one again");
    assert(second !== null && second > first);
    assertEquals(await two.swapLease(first, "conductor two"), null);
    assertEquals(await two.lease(), { revision: second, holder: "conductor one again" });
    const third = await one.swapLease(second, null);
    assert(third !== null && third > second);
    assertEquals(await two.lease(), { revision: third, holder: null });
    const fourth = await two.swapLease(third, "conductor two");
    assert(fourth !== null && fourth > third);
    await one.close();
    await two.close();
  });

  test("of two that want the lease one gets it", async (open) => {
    const [one, two] = [await open(), await open()];
    const won = await Promise.all([one.swapLease(0, "one"), two.swapLease(0, "two")]);
    assertEquals(won.filter((revision) => revision !== null).length, 1);
    const again = await Promise.all(
      [one, two].map((store) => store.swapLease(Math.max(...won.map(Number)), "next")),
    );
    assertEquals(again.filter((revision) => revision !== null).length, 1);
    await one.close();
    await two.close();
  });
}
