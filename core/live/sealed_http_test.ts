import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../errors.ts";
import type { Peer } from "../seal/primitives.ts";
import { dialSealed } from "./sealed_channel.ts";
import { dialWebSocket } from "./websocket_client.ts";
import {
  acceptSealed,
  isSealRequest,
  peerOf,
  sealedFetch,
  sealedSocket,
  upgradeStream,
} from "./sealed_http.ts";
import { openSealKeys, type SealKeys } from "./seal_keys.ts";

const HOST = "127.0.26.1";
const NODE: Peer = { role: "node", name: "den", identity: "0".repeat(64) };

async function keysIn(folder: string, name: string): Promise<SealKeys> {
  return await openSealKeys(`${folder}/${name}`, "node");
}

interface Rig extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly server: SealKeys;
  readonly client: SealKeys;
  readonly closed: string[];
  dial(): ReturnType<typeof dialSealed>;
}

/** A daemon with a few paths, and one peer that it knows. */
async function rig(): Promise<Rig> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-sealed-" });
  const [server, client] = await Promise.all([
    keysIn(folder, "server"),
    keysIn(folder, "client"),
  ]);
  const closed: string[] = [];
  const handler = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/who":
        return Response.json(peerOf(request) ?? null);
      case "/echo":
        return new Response(await request.arrayBuffer());
      case "/size": {
        let size = 0;
        for await (const chunk of request.body!) size += chunk.length;
        return new Response(String(size));
      }
      case "/endless":
        return new Response(
          new ReadableStream<Uint8Array>({
            pull: (controller) => controller.enqueue(new Uint8Array(10_000)),
            cancel: () => void closed.push("endless"),
          }),
        );
      case "/none":
        return new Response(null, { status: 204 });
      case "/stream": {
        const { socket, response } = upgradeStream(request);
        socket.onmessage = ({ data }) => {
          socket.send(`heard ${data}`);
          if (data === "close, please") socket.close();
        };
        socket.onopen = () => socket.send("open");
        socket.onclose = () => closed.push("stream");
        return response;
      }
      case "/throws":
        throw new Error("a bug");
      default:
        return new Response("no", { status: 404 });
    }
  };
  const http = Deno.serve({ hostname: HOST, port: 0, onListen() {} }, (request) => {
    if (!isSealRequest(request)) return handler(request);
    const admit = (key: Uint8Array) => key.toHex() === client.staticKey.toHex() ? NODE : null;
    return acceptSealed(request, { keys: server, admit }, handler);
  });
  const url = `ws://${HOST}:${http.addr.port}/seal`;
  return {
    url,
    port: http.addr.port,
    server,
    client,
    closed,
    dial: () => dialSealed(url, { keys: client, responder: server.staticKey }),
    async [Symbol.asyncDispose]() {
      await http.shutdown();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!isSo()) {
    assert(performance.now() < end, "waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("sealedFetch() brings requests and answers, and the server knows who asks", async () => {
  await using test = await rig();
  const who = await sealedFetch(test.dial, "/who");
  assertEquals([who.status, await who.json()], [200, NODE]);
  const echo = await sealedFetch(test.dial, "/echo", { method: "POST", body: "hello" });
  assertEquals(await echo.text(), "hello");
  const missing = await sealedFetch(test.dial, "/nothing");
  assertEquals([missing.status, await missing.text()], [404, "no"]);
  assertEquals((await sealedFetch(test.dial, "/none")).status, 204);
  const plain = await fetch(`http://${HOST}:${test.port}/who`);
  assertEquals(await plain.json(), null);
});

Deno.test("sealedFetch() carries long bodies both ways, no faster than they are read", async () => {
  await using test = await rig();
  const body = new Uint8Array(5_000_000).map((_, at) => at * 7);
  const echo = await sealedFetch(test.dial, "/echo", { method: "POST", body });
  assertEquals(new Uint8Array(await echo.arrayBuffer()), body);
  const size = await sealedFetch(test.dial, "/size", { method: "PUT", body });
  assertEquals(await size.text(), "5000000");
});

Deno.test("sealedFetch(): a caller that goes away ends the answer", async () => {
  await using test = await rig();
  const response = await sealedFetch(test.dial, "/endless");
  const reader = response.body!.getReader();
  for (let each = 0; each < 300; each++) await reader.read();
  await reader.cancel();
  await until(() => test.closed.includes("endless"));
  const abort = new AbortController();
  const other = await sealedFetch(test.dial, "/endless", { signal: abort.signal });
  abort.abort();
  await assertRejects(() => other.arrayBuffer());
  await until(() => test.closed.length === 2);
});

Deno.test("sealedFetch() fails where the handler does", async () => {
  await using test = await rig();
  await assertRejects(() => sealedFetch(test.dial, "/throws"), Failure, "broke off");
});

Deno.test("dialWebSocket() serves in place of the runtime's WebSocket", async () => {
  await using test = await rig();
  const { client: keys, server } = test;
  const dial = () =>
    dialSealed(test.url, { keys, responder: server.staticKey, open: dialWebSocket });
  const body = new Uint8Array(5_000_000).map((_, at) => at * 7);
  const echo = await sealedFetch(dial, "/echo", { method: "POST", body });
  assertEquals(new Uint8Array(await echo.arrayBuffer()), body);
  for (const size of [0, 1, 100, 108, 109, 125, 126, 65_500, 65_535, 65_536]) {
    const short = body.subarray(0, size);
    const answer = await sealedFetch(dial, "/echo", { method: "POST", body: short });
    assertEquals(new Uint8Array(await answer.arrayBuffer()), short, `${size} bytes`);
  }
  const endless = await sealedFetch(dial, "/endless");
  await endless.body!.cancel();
  await until(() => test.closed.includes("endless"));
  const heard: string[] = [];
  const socket = sealedSocket(dial, "/stream");
  socket.onmessage = ({ data }) => {
    heard.push(data);
    if (data === "open") socket.send("you");
    else socket.close(3001, "enough");
  };
  const { code } = await new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  assertEquals([heard, code], [["open", "heard you"], 3001]);
  const nobody = () =>
    dialSealed("ws://127.0.26.1:9/seal", { keys, responder: keys.staticKey, open: dialWebSocket });
  await assertRejects(nobody, Failure, "no answer");
  const plain = `ws://${HOST}:${test.port}/who`;
  await assertRejects(
    () => dialSealed(plain, { keys, responder: server.staticKey, open: dialWebSocket }),
    Failure,
  );
});

Deno.test("sealedSocket() carries messages as a WebSocket does", async () => {
  await using test = await rig();
  const heard: string[] = [];
  const socket = sealedSocket(test.dial, "/stream");
  socket.onmessage = ({ data }) => {
    heard.push(data);
    if (data === "open") socket.send("you");
    else socket.close();
  };
  await new Promise((resolve) => socket.onclose = resolve);
  assertEquals(heard, ["open", "heard you"]);
  await until(() => test.closed.includes("stream"));
});

Deno.test("large messages and small ones arrive in their order, and before the end that follows them", async () => {
  await using test = await rig();
  const socket = sealedSocket(test.dial, "/stream");
  const heard: string[] = [];
  socket.onmessage = ({ data }) => heard.push(data);
  await until(() => heard.length === 1);
  // A larger one takes longer than the small ones behind it.
  const sent = [400_000, 1, 9_000, 2, 3, 200_000, 4].map((length, at) => `${at}`.repeat(length));
  for (const text of sent) socket.send(text);
  await until(() => heard.length > sent.length);
  assertEquals(heard, ["open", ...sent.map((text) => `heard ${text}`)]);
  const ended = new Promise<void>((resolve) => socket.onclose = () => resolve());
  socket.send("x".repeat(400_000));
  socket.send("close, please");
  await ended;
  assertEquals(heard.slice(sent.length + 1).map((text) => text.length), [400_006, 19]);
});

Deno.test("a stranger gets a session, and no name", async () => {
  await using test = await rig();
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-sealed-" });
  const stranger = await keysIn(folder, "stranger");
  const dial = () => dialSealed(test.url, { keys: stranger, responder: test.server.staticKey });
  assertEquals(await (await sealedFetch(dial, "/who")).json(), null);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("dialSealed() makes no key for a connection that does not come about, where it is asked to", async () => {
  await using test = await rig();
  let made = 0;
  const keys = {
    ...test.client,
    kem: {
      ...test.client.kem,
      perform(steps: Parameters<SealKeys["kem"]["perform"]>[0]) {
        made++;
        return test.client.kem.perform(steps);
      },
    },
  };
  const options = { keys, responder: test.server.staticKey, connectFirst: true };
  await assertRejects(() => dialSealed(`ws://${HOST}:9/seal`, options), Failure, "no answer");
  assertEquals(made, 0);
  (await dialSealed(test.url, options)).close();
  assert(made > 0);
});

Deno.test("dialSealed() refuses whoever does not hold the key it was told", async () => {
  await using test = await rig();
  const error = await assertRejects(
    () => dialSealed(test.url, { keys: test.client, responder: test.client.staticKey }),
    Failure,
  );
  assertStringIncludes(error.message, "no sealed session");
});

/** A relay that hands over what `alter` makes of each frame, and keeps what it saw. */
function relay(to: string, alter: (frame: Uint8Array, count: number) => Uint8Array[]) {
  const seen: Uint8Array[] = [];
  let count = 0;
  const server = Deno.serve({ hostname: HOST, port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const beyond = new WebSocket(to);
    socket.binaryType = beyond.binaryType = "arraybuffer";
    const early: ArrayBuffer[] = [];
    const pass = (target: WebSocket, data: ArrayBuffer) => {
      seen.push(new Uint8Array(data));
      for (const each of alter(new Uint8Array(data), count++)) {
        if (target.readyState === WebSocket.OPEN) target.send(each as Uint8Array<ArrayBuffer>);
      }
    };
    socket.onmessage = ({ data }) => {
      if (beyond.readyState === WebSocket.OPEN) pass(beyond, data);
      else early.push(data);
    };
    beyond.onopen = () => early.splice(0).forEach((each) => pass(beyond, each));
    beyond.onmessage = ({ data }) => pass(socket, data);
    beyond.onclose = () => socket.readyState === WebSocket.OPEN && socket.close();
    socket.onclose = () => beyond.close();
    beyond.onerror = socket.onerror = (event) => event.preventDefault();
    return response;
  });
  /** The next connection's frames are counted from the first. */
  const again = () => count = 0;
  return { url: `ws://${HOST}:${server.addr.port}/seal`, seen, server, again };
}

Deno.test("nobody in between reads, alters, drops or repeats a record unnoticed", async () => {
  await using test = await rig();
  const flip = (frame: Uint8Array) => {
    const altered = frame.slice();
    altered[altered.length >> 1]! ^= 1;
    return altered;
  };
  for (
    const [what, alter, works] of [
      ["nothing", (frame: Uint8Array) => [frame], true],
      ["first altered", (frame: Uint8Array, at: number) => [at === 0 ? flip(frame) : frame], false],
      [
        "second altered",
        (frame: Uint8Array, at: number) => [at === 1 ? flip(frame) : frame],
        false,
      ],
      [
        "request altered",
        (frame: Uint8Array, at: number) => [at === 2 ? flip(frame) : frame],
        false,
      ],
      [
        "request repeated",
        (frame: Uint8Array, at: number) => at === 2 ? [frame, frame] : [frame],
        false,
      ],
      ["answer altered", (frame: Uint8Array, at: number) => [at > 3 ? flip(frame) : frame], false],
    ] as const
  ) {
    const between = relay(test.url, alter);
    const dial = () =>
      dialSealed(between.url, { keys: test.client, responder: test.server.staticKey });
    // Small records and large ones are sealed by different means.
    for (const text of ["the secret of it", "the secret of it".repeat(2_000)]) {
      const ask = async () => {
        const init = { method: "POST", body: text };
        return await (await sealedFetch(dial, "/echo", init)).text();
      };
      between.again();
      if (works) assertEquals(await ask(), text, what);
      else await assertRejects(ask, Error, undefined, what);
    }
    for (const frame of between.seen) {
      assert(!new TextDecoder().decode(frame).includes("secret"), what);
    }
    await between.server.shutdown();
  }
});
