import { assert, assertEquals } from "@std/assert";
import { askUdp } from "./udp.ts";

const hostname = "127.0.0.1";

/** A UDP server; `answer` gets the number of the datagram, from 1, `use` its port and who asked first. */
async function udpServer(
  answer: (text: string, count: number) => Uint8Array | string | null,
  use: (port: number, asker: Promise<Deno.Addr>) => Promise<void>,
): Promise<number> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  let count = 0;
  const asker = Promise.withResolvers<Deno.Addr>();
  const serving = (async () => {
    for await (const [bytes, from] of socket) {
      asker.resolve(from);
      const reply = answer(new TextDecoder().decode(bytes), ++count);
      if (reply === null) continue;
      await socket.send(typeof reply === "string" ? new TextEncoder().encode(reply) : reply, from);
    }
  })();
  try {
    await use((socket.addr as Deno.NetAddr).port, asker.promise);
  } finally {
    socket.close();
    await serving;
  }
  return count;
}

Deno.test("askUdp() asks again until an answer comes, if it may", async () => {
  const asked = await udpServer((text, count) => count < 3 ? null : `OK|${text}`, async (port) => {
    const reply = await askUdp({ hostname, port }, "PING", { timeoutMs: 5_000, repeat: true });
    assertEquals(reply, "OK|PING");
  });
  // Once more where the answer itself is on its way for longer than that.
  assert(asked >= 3, `asked ${asked} times`);
});

Deno.test("askUdp() asks once if it may not repeat, and gives up in time", async () => {
  const begun = performance.now();
  const asked = await udpServer(() => null, async (port) => {
    assertEquals(await askUdp({ hostname, port }, "DOWN", { timeoutMs: 600 }), null);
  });
  assertEquals(asked, 1);
  assert(performance.now() - begun < 3_000);
});

Deno.test("askUdp() passes over malformed answers", async () => {
  await udpServer((_, count) => count === 1 ? new Uint8Array([0xff, 0xfe]) : "OK", async (port) => {
    const options = { timeoutMs: 5_000, repeat: true };
    assertEquals(await askUdp({ hostname, port }, "PING", options), "OK");
  });
});

Deno.test("askUdp() passes over the late answer to another command", async () => {
  const stop = "STOP|0123456789|api";
  const answers = ["OK|STOP|web", "OK|STOP|web|9876543210", "OK|STOP|api|0123456789"];
  const asked = await udpServer((_, count) => answers[count - 1] ?? null, async (port) => {
    const reply = await askUdp({ hostname, port }, stop, { timeoutMs: 5_000, repeat: true });
    assertEquals(reply, "OK|STOP|api");
  });
  // Once more where the answer itself is on its way for longer than that.
  assert(asked >= 3, `asked ${asked} times`);
});

Deno.test("askUdp() passes over what comes from elsewhere", async () => {
  const other = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  await udpServer((_, count) => count === 1 ? null : "OK|PONG|tower", async (port, asker) => {
    const asking = askUdp({ hostname, port }, "PING", { timeoutMs: 5_000, repeat: true });
    await other.send(new TextEncoder().encode("OK|PONG|other"), await asker);
    assertEquals(await asking, "OK|PONG|tower");
  });
  other.close();
});

Deno.test("askUdp() resolves to null where nobody listens", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  assertEquals(await askUdp({ hostname, port }, "PING", { timeoutMs: 100 }), null);
});
