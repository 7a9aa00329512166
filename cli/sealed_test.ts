import { assertEquals, assertRejects } from "@std/assert";
import { openSealKeys } from "../core/live/seal_keys.ts";
import { Failure } from "../core/errors.ts";
import { id, start, withFolder } from "../conductor/live/rig_test.ts";
import { conductorAt } from "./conductor.ts";
import { sealedRequest } from "./sealed.ts";

const HOST = "127.0.9.74";

Deno.test("a conductor that is made anew on this machine is known by its new key; a pinned one is not", async () => {
  await withFolder(async (folder) => {
    const identities: string[] = [];
    let port = 0;
    let pinned: { identity: string; staticKey: string } | undefined;
    for (const world of ["one", "two"]) {
      const keys = await openSealKeys(`${folder}/${world}`, "conductor");
      const conductor = await start(`${folder}/${world}`, { bind: HOST, port, keys });
      port = conductor.commands.port;
      const at = { hostname: HOST, port };
      // Whoever began the session may have given up by the time that it has to begin anew.
      const first = new AbortController();
      const options = { method: "GET", path: "/api/status", signal: first.signal } as const;
      const { body } = await sealedRequest({ ...at, seal: {} }, options);
      await Array.fromAsync(body);
      first.abort();
      const { conductor: said } = await conductorAt({ ...at, seal: {} }, 10_000)
        .get<{ conductor: { boot: string } }>("/api/status");
      identities.push(said.boot);
      if (pinned) {
        const seal = { context: `c-${id()}`, pinned };
        const error = await assertRejects(
          () => conductorAt({ ...at, seal }, 10_000).get("/api/status"),
          Failure,
        );
        assertEquals((error as Failure).code, "conductor-changed");
      }
      pinned ??= { identity: keys.identity, staticKey: keys.staticKey.toBase64() };
      await conductor.stop("the next is to take its place");
    }
    assertEquals(new Set(identities).size, 2);
  });
});
