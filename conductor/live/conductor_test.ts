import { assert, assertEquals } from "@std/assert";
import { UNAUTHORIZED } from "../../core/wire.ts";
import { EventHistory } from "./events.ts";
import { EVENTS } from "../../core/limits.ts";
import { apply, post, signed, start, UdpClient, withConductor, withFolder } from "./rig_test.ts";

async function metric(url: string, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split("\n").find((each) => each.startsWith(`${line} `));
  assert(found, `${line} is not in\n${text}`);
  return Number(found.split(" ").at(-1));
}

Deno.test("commands are answered by UDP and by TCP, and once for both", async () => {
  await withConductor(async ({ commands }, url) => {
    using client = new UdpClient();
    assertEquals(await client.ask("PING", commands), "OK|PONG|conductor");
    assertEquals(await client.ask("NODES", commands), "OK|NODES|0|");
    const text = apply("web");
    const both = await Promise.all([client.ask(text, commands), post(url, text)]);
    assertEquals(both, ["OK|APPLIED|web|1", "OK|APPLIED|web|1"]);
    assertEquals((await (await fetch(`${url}/api/status`)).json()).sequence, 2);
    assertEquals(await post(url, signed("EVICT|web", 1)), UNAUTHORIZED);
    assertEquals(await post(url, "EVICT|web"), UNAUTHORIZED);
    assertEquals(await client.ask(signed("EVICT|web"), commands), "OK|EVICTED|web");
  });
});

Deno.test("garbage of every size on both sockets is dropped and counted, then work goes on", async () => {
  await withConductor(async ({ commands, mesh }, url) => {
    using client = new UdpClient();
    const sizes = [0, 1, 2, 3, 100, 1_200, 6_640, 16_383, 16_384, 16_385, 40_000, 65_506, 65_507];
    for (const size of sizes) {
      const garbage = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_000)));
      const bytes = new Uint8Array(size);
      bytes.set(garbage);
      if (size > 0) bytes[0] = 0xff;
      for (const to of [commands, mesh]) {
        await client.send(bytes, to);
        // One at a time: what the kernel drops in a burst, nobody can count.
        assertEquals(await client.ask("PING", commands), "OK|PONG|conductor");
      }
    }
    const dropped = (socket: string) =>
      metric(url, `skr8tr_conductor_datagrams_total{socket="${socket}",outcome="dropped"}`);
    assertEquals(await dropped("commands"), sizes.length);
    const deadlineMs = performance.now() + 5_000;
    while (await dropped("mesh") < sizes.length) assert(performance.now() < deadlineMs);
    assertEquals(await client.ask(apply("web"), commands), "OK|APPLIED|web|1");
  });
});

Deno.test("bodies over TCP that are too long, no UTF-8 or with a NUL are refused", async () => {
  await withConductor(async (_, url) => {
    const send = async (body: BodyInit, path = "/command", method = "POST") => {
      const response = await fetch(url + path, { method, body });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await send("x".repeat(1_048_577)), 413);
    assertEquals(await send(new Uint8Array([0xff, 0xfe])), 413);
    assertEquals(await send("EVICT|a\0b"), 400);
    assertEquals(await send("x".repeat(262_145), "/api/plan"), 413);
    assertEquals(await send("", "/command", "PUT"), 405);
    assertEquals(await post(url, "PING"), "OK|PONG|conductor");
  });
});

Deno.test("the API answers as core/view.ts has it, whatever the parameters", async () => {
  await withConductor(async (_, url) => {
    await post(url, apply("web"));
    const get = async (path: string) => {
      const response = await fetch(url + path, { signal: AbortSignal.timeout(5_000) });
      return [response.status, await response.text()] as const;
    };
    const [, apps] = await get("/api/apps");
    assertEquals(JSON.parse(apps).apps[0].reasons, [
      "cannot place web: no node has joined",
    ]);
    assertEquals((await get("/api/apps/nope"))[0], 404);
    assertEquals((await get("/api/none"))[0], 404);
    assertEquals((await get("/other"))[0], 404);
    assertEquals(JSON.parse((await get("/api/nodes"))[1]), { nodes: [] });
    assertEquals(await get("/api/events?limit=0"), [200, ""]);
    assertEquals(await get("/api/audit?limit=0"), [200, ""]);
    for (const limit of ["-1", "1.5", "x", "1e99", "", "99999999999999999999"]) {
      const [status, text] = await get(`/api/events?limit=${limit}`);
      assertEquals(status, 200, limit);
      assert(text.split("\n").length > 1, limit);
      assertEquals((await get(`/api/logs/web?lines=${limit}`))[0], 200, limit);
    }
    const plan = await fetch(`${url}/api/plan`, { method: "POST", body: "app a {\n exec /x\n}\n" });
    assertEquals((await plan.json()).apps[0].generation, 1);
    const bad = await fetch(`${url}/api/plan`, { method: "POST", body: "app a {\n nope\n}\n" });
    assertEquals(bad.status, 400);
    assert((await bad.json()).errors.length > 0);
  });
});

Deno.test("/api/events?follow=1 and ?watch=1 tell what comes, one object a line", async () => {
  await withConductor(async (_, url) => {
    await post(url, apply("web"));
    const abort = new AbortController();
    const read = async (
      path: string,
      until: (line: { text?: string; state?: string }) => boolean,
    ) => {
      const response = await fetch(url + path, { signal: abort.signal });
      let rest = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        if (lines.some((line) => until(JSON.parse(line)))) return;
      }
      throw new Error("the stream ended");
    };
    const seen = [
      read("/api/events?follow=1&app=web", (event) => event.text!.includes("take web down")),
      read("/api/apps/web?watch=1", (view) => view.state === "down"),
    ];
    const timer = setTimeout(() => abort.abort(new Error("not told in time")), 5_000);
    assertEquals(await post(url, signed("EVICT|web")), "OK|EVICTED|web");
    await Promise.all(seen);
    clearTimeout(timer);
    abort.abort();
  });
});

Deno.test("/follow sends every signed command from where it is asked, then what comes", async () => {
  await withConductor(async (_, url) => {
    await post(url, apply("one"));
    await post(url, apply("two"));
    const follow = async (from: number, count: number): Promise<string[]> => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/follow?from=${from}`);
      const heard: string[] = [];
      const done = Promise.withResolvers<string[]>();
      const timer = setTimeout(() => done.reject(new Error(`heard only ${heard}`)), 5_000);
      socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        // First of all it says which log this is.
        if (message.k === "log") return;
        heard.push(message.k === "head" ? `head ${message.sequence}` : message.text.split("|")[2]);
        if (heard.length === count) done.resolve(heard);
      };
      try {
        return await done.promise;
      } finally {
        clearTimeout(timer);
        const closed = Promise.withResolvers<void>();
        socket.onclose = () => closed.resolve();
        socket.close();
        await closed.promise;
      }
    };
    assertEquals(await follow(0, 3), ["one", "two", "head 3"]);
    assertEquals(await follow(2, 2), ["two", "head 3"]);
    const live = follow(3, 2);
    await post(url, apply("three"));
    assert((await live).includes("three") || (await live)[0] === "head 3");
    for (const from of ["-1", "x", "1.5"]) {
      const response = await fetch(`${url}/follow?from=${from}`);
      assertEquals(response.status, 400, from);
      await response.body?.cancel();
    }
    const plain = await fetch(`${url}/follow`);
    assertEquals(plain.status, 426);
    await plain.body?.cancel();
  });
});

Deno.test("a second conductor on the same ports says which port is taken", async () => {
  await withConductor(async ({ commands, mesh }) => {
    await withFolder(async (folder) => {
      let message = "";
      try {
        await start(folder, { port: commands.port, meshPort: mesh.port });
      } catch (error) {
        message = (error as Error).message;
      }
      assert(
        message.includes(`UDP 127.0.0.9:${mesh.port}: another program has this port`),
        message,
      );
    });
  });
});

Deno.test("the history keeps the newest EVENTS events, and begins anew where it is damaged", async () => {
  await withFolder((folder) => {
    const path = `${folder}/events.db`;
    const history = new EventHistory(path);
    const total = EVENTS + 250;
    for (let at = 1; at <= total; at++) {
      history.add({ wallMs: at, kind: "test", text: `event ${at}` });
    }
    const kept = history.read({ limit: 1_000_000 });
    assert(kept.length <= EVENTS + 100, `${kept.length} kept`);
    assertEquals(kept.at(-1)!.text, `event ${total}`);
    assertEquals(history.read({ limit: 2 }).map((event) => event.wallMs), [total - 1, total]);
    history.close();
    Deno.writeTextFileSync(
      path,
      "no database at all, but long enough to be looked at ".repeat(200),
    );
    const anew = new EventHistory(path);
    assertEquals(anew.read({ limit: 10 }), []);
    anew.add({ wallMs: 1, kind: "test", text: "goes on" });
    anew.close();
    assertEquals(new EventHistory(path).read({ limit: 10 }).map((event) => event.text), [
      "goes on",
    ]);
    return Promise.resolve();
  });
});
