import { assert, assertEquals, assertRejects } from "@std/assert";
import { STREAM_WINDOW_BYTES } from "../limits.ts";
import { StreamCipher } from "../seal/stream.ts";
import { streamKeys } from "../stream/keys.ts";
import { nodeAead } from "./seal_primitives.ts";
import type { MessageSocket } from "./sealed_http.ts";
import { type Duplex, type LinkOptions, StreamLink } from "./stream_link.ts";

/** Two ends of a connection that loses nothing; `alter` is somebody in between. */
function pair(alter = (message: Uint8Array) => message) {
  class End {
    readyState = 1;
    onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
    onclose: ((event: { reason: string }) => void) | null = null;
    onerror: unknown = null;
    other!: End;
    sentBytes = 0;

    send(message: Uint8Array): void {
      this.sentBytes += message.length;
      const data = alter(message.slice()).slice().buffer as ArrayBuffer;
      queueMicrotask(() => this.other.onmessage?.({ data }));
    }

    close(_code: number, reason: string): void {
      if (this.readyState === 3) return;
      this.readyState = this.other.readyState = 3;
      queueMicrotask(() => {
        this.onclose?.({ reason });
        this.other.onclose?.({ reason });
      });
    }
  }
  const [one, two] = [new End(), new End()];
  [one.other, two.other] = [two, one];
  return [one, two] as const;
}

function links(
  mine: Partial<LinkOptions> = {},
  theirs: Partial<LinkOptions> = {},
  alter?: (message: Uint8Array) => Uint8Array,
) {
  const [one, two] = pair(alter);
  const secrets = { ciphertext: new Uint8Array(8), shared: new Uint8Array(32).fill(5) };
  const of = (side: "operator" | "node", socket: unknown, more: Partial<LinkOptions>) =>
    new StreamLink({
      socket: socket as MessageSocket,
      cipher: new StreamCipher(nodeAead, streamKeys(nodeAead, side, "signed", secrets)),
      control: () => {},
      ...more,
    });
  const operator = of("operator", one, mine);
  const node = of("node", two, theirs);
  return { operator, node, one, two };
}

function begun(...all: Parameters<typeof links>) {
  const made = links(...all);
  const [here, there] = [made.operator.channel(0), made.node.channel(0)];
  made.operator.begin();
  made.node.begin();
  return { ...made, here, there };
}

async function send({ writable }: Duplex, bytes: Uint8Array): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(bytes);
  await writer.close();
}

Deno.test("StreamLink carries both ways, each to its own end", async () => {
  const { here, there, operator } = begun();
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const all = new Uint8Array(2_000_000);
  for (let at = 0; at < all.length; at += bytes.length) {
    all.set(bytes.subarray(0, Math.min(bytes.length, all.length - at)), at);
  }
  const sent = send(here, all);
  assertEquals(await new Response(there.readable).bytes(), all);
  await sent;
  // The other way is open still.
  const back = send(there, bytes);
  assertEquals(await new Response(here.readable).bytes(), bytes);
  await back;
  operator.close();
});

Deno.test("StreamLink sends no more than a window to one who does not read", async () => {
  const { here, there, one, operator } = begun();
  const sent = send(here, new Uint8Array(5_000_000));
  const reader = there.readable.getReader();
  let read = (await reader.read()).value!.length;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(one.sentBytes < STREAM_WINDOW_BYTES * 1.1, `${one.sentBytes} bytes`);
  for (let next; (next = await reader.read()).value;) read += next.value.length;
  assertEquals(read, 5_000_000);
  await sent;
  operator.close();
});

Deno.test("StreamLink gives what had come before it broke off, and then says that it did", async () => {
  const { here, there, node } = begun();
  const writer = here.writable.getWriter();
  await writer.write(new Uint8Array([1, 2, 3]));
  const reader = there.readable.getReader();
  await new Promise((resolve) => setTimeout(resolve, 0));
  node.close("enough");
  assertEquals((await reader.read()).value, new Uint8Array([1, 2, 3]));
  await assertRejects(() => reader.read(), Error, "enough");
  await assertRejects(() => writer.closed, Error, "enough");
});

Deno.test("StreamLink goes on where one way is not read any more", async () => {
  const { here, there, operator } = begun();
  await there.readable.cancel();
  const sent = send(here, new Uint8Array(3_000_000));
  const back = send(there, new Uint8Array([4]));
  assertEquals(await new Response(here.readable).bytes(), new Uint8Array([4]));
  await Promise.all([sent, back]);
  operator.close();
});

Deno.test("StreamLink ends when somebody in between alters one bit", async () => {
  let count = 0;
  const { here, node } = begun({}, {}, (message) => {
    if (++count === 3) message[message.length - 1]! ^= 1;
    return message;
  });
  const sent = send(here, new Uint8Array(500_000));
  sent.catch(() => {});
  assertEquals(await node.over, "what came was not sealed by the other end of the stream");
});

Deno.test("StreamLink takes connections only where they are wanted, and not too many", async () => {
  const taken: Duplex[] = [];
  const { operator, node } = links({}, {
    channels: 2,
    opened: (channel) => void taken.push(channel),
  });
  operator.begin();
  node.begin();
  const opened = [2, 3, 4].map((id) => operator.channel(id, true));
  await assertRejects(
    () => opened[2]!.readable.getReader().read(),
    Error,
    "2 connections are open already",
  );
  assertEquals(taken.length, 2);
  operator.close();

  const none = links();
  none.operator.begin();
  none.node.begin();
  none.operator.channel(2, true);
  assertEquals(await none.operator.over, "no connection may begin here");
});
