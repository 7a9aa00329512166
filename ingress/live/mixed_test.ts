// Replicas that lie, break off and talk nonsense, among honest ones: nobody gets another's answer.
// Rows 2 and 17 of the scoreboard of faults.

import { assert, assertEquals } from "@std/assert";
import { endpoint, openBackend, route, testIngress, type Wire } from "./testing.ts";
import { connect } from "./testing.ts";

/** Number of a request that its target carries; content is `<number>` and filling. */
const numberOf = (head: string) => Number(/^[A-Z]+ \/(\d+) /.exec(head)![1]);
const contentOf = (number: number) => `<${number}>${"x".repeat(number % 997)}</${number}>`;

type Answer = (wire: Wire, number: number) => Promise<boolean>;

function byLength(number: number, said = contentOf(number).length): string {
  return `HTTP/1.1 200 OK\r\nX-Number: ${number}\r\nContent-Length: ${said}\r\n\r\n${
    contentOf(number)
  }`;
}

function inChunks(number: number): string {
  const content = contentOf(number);
  const parts = [content.slice(0, 7), content.slice(7)];
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  return `HTTP/1.1 200 OK\r\nX-Number: ${number}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

// What a replica may do with a request; `true`: it goes on with the next on this connection.
const honest: readonly Answer[] = [
  async (wire, number) => (await wire.write(byLength(number)), true),
  async (wire, number) => (await wire.write(inChunks(number)), true),
  async (wire, number) => {
    const text = byLength(number);
    for (let at = 0; at < text.length; at += 300) {
      await wire.write(text.slice(at, at + 300));
    }
    return true;
  },
  async (wire, number) => {
    await wire.write(`HTTP/1.1 103 Early Hints\r\nX-Number: ${number}\r\n\r\n${byLength(number)}`);
    return true;
  },
  // Until the end of the connection.
  async (wire, number) => {
    await wire.write(`HTTP/1.1 200 OK\r\nX-Number: ${number}\r\n\r\n${contentOf(number)}`);
    return false;
  },
];
const lying: readonly Answer[] = [
  // Nothing, half a head, half a body, half a chunk.
  () => Promise.resolve(false),
  async (wire, number) => (await wire.write(byLength(number).slice(0, 30)), false),
  async (wire, number) => (await wire.write(byLength(number).slice(0, -3)), false),
  async (wire, number) => (await wire.write(inChunks(number).slice(0, -9)), false),
  // More than was said: an answer to nobody behind the first, which must not become somebody's.
  async (wire, number) => (await wire.write(byLength(number) + byLength(999_999)), true),
  async (wire, number) => (await wire.write(byLength(number, 5)), true),
  async (wire, number) => (await wire.write(inChunks(number) + byLength(999_999)), true),
  // What is no HTTP, or forbidden.
  async (wire) => (await wire.write("\0\0\0 nonsense \r\n\r\n"), true),
  async (wire, number) => {
    await wire.write(byLength(number).replace("X-Number", "Content-Length: 1\r\nX-Number"));
    return true;
  },
  async (wire, number) => {
    await wire.write(inChunks(number).replace("\r\n\r\n", "\r\n\r\nzz\r\n"));
    return true;
  },
  async (wire) => (await wire.write("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n<1>"), true),
];

Deno.test("10,000 numbered requests get their own answer or none, whatever replicas do", async () => {
  const seed = Number(Deno.env.get("MIXED_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]!);
  console.log(`MIXED_SEED=${seed}`);
  let state = seed >>> 0;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const pick = <T>(list: readonly T[]) => list[Math.floor(chance() * list.length)]!;
  const replica = (badness: number) =>
    openBackend(async (wire) => {
      for (;;) {
        const request = await wire.readRequest();
        if (request === null) return;
        const answer = chance() < badness ? pick(lying) : pick(honest);
        if (!await answer(wire, numberOf(request.head))) return;
      }
    });
  const backends = [replica(0), replica(0), replica(0.3), replica(1)];
  await using ingress = await testIngress({
    routes: [route("/", "app")],
    endpoints: backends.map((each) => endpoint("app", each.port)),
  });
  let next = 0;
  let own = 0;
  let none = 0;
  const wrong: string[] = [];
  const judge = (number: number, text: string, whole: boolean) => {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    if (status === "200") {
      // Cut short is fine as long as it does not look whole; another's number never is.
      const numbers = [...text.matchAll(/X-Number: (\d+)|<\/?(\d+)>/g)];
      if (numbers.some(([, head, content]) => Number(head ?? content) !== number)) wrong.push(text);
      else if (whole && text.includes(`</${number}>`)) own++;
      else none++;
    } else if (status === "502" || status === "504") none++;
    else if (text !== "") wrong.push(text);
    else none++;
  };
  const client = async () => {
    while (next < 10_000) {
      using wire = await connect(ingress.httpPort);
      let alive = true;
      while (alive && next < 10_000) {
        // Up to three at a time on one connection.
        const numbers = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => next++);
        await wire.write(
          numbers.map((number) => `GET /${number} HTTP/1.1\r\nHost: a.test\r\n\r\n`).join(""),
        ).catch(() => {});
        for (const number of numbers) {
          const { text, whole } = alive ? await readAnswer(wire) : { text: "", whole: false };
          judge(number, text, whole);
          if (!whole) alive = false;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: 40 }, client));
  assertEquals(wrong.slice(0, 3), []);
  assert(own > 6_000, `only ${own} answers, ${none} none`);
  assert(none > 50, `only ${none} faults were seen`);
  for (const each of backends) await each[Symbol.asyncDispose]();
});

/** One final response, as its framing says; `whole` if it came to its end. */
async function readAnswer(wire: Wire): Promise<{ text: string; whole: boolean }> {
  let text = "";
  try {
    let head = await wire.readUntil("\r\n\r\n");
    while (/^HTTP\/1\.1 1/.test(head)) head = await wire.readUntil("\r\n\r\n");
    text = head;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      let left = Number(length);
      while (left > 0) {
        const more = await wire.read();
        if (more === null) return { text, whole: false };
        text += more.slice(0, left);
        if (more.length > left) wire.unread(more.slice(left));
        left -= Math.min(left, more.length);
      }
    } else {
      for (let line = ""; line !== "0\r\n";) {
        line = await wire.readUntil("\r\n");
        const size = parseInt(line, 16);
        let left = size === 0 ? 0 : size + 2;
        while (left > 0) {
          const more = await wire.read();
          if (more === null) return { text, whole: false };
          text += more.slice(0, left);
          if (more.length > left) wire.unread(more.slice(left));
          left -= Math.min(left, more.length);
        }
      }
      await wire.readUntil("\r\n");
    }
    return { text, whole: true };
  } catch {
    return { text, whole: false };
  }
}
