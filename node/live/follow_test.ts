import { assertEquals } from "@std/assert";
import type { MemberSeal } from "../../core/live/member_seal.ts";
import type { FollowMessage } from "../../core/mesh.ts";
import type { NodeEvent } from "../effects.ts";
import { Follower } from "./follow.ts";

/** A seal whose streams are hand-made, and a token that knew a log of this length. */
function sealOf(sequence: number) {
  interface Socket {
    onmessage?: (event: { data: string }) => void;
    closed: boolean;
    close(): void;
  }
  const sockets: Socket[] = [];
  const seal = {
    head: { sequence, hash: "" },
    socket: () => {
      const socket: Socket = { closed: false, close: () => void (socket.closed = true) };
      sockets.push(socket);
      return socket;
    },
  } as unknown as MemberSeal;
  const say = (message: FollowMessage) =>
    sockets.at(-1)!.onmessage!({ data: JSON.stringify(message) });
  return { seal, say, sockets };
}

const record = (sequence: number): FollowMessage => ({
  k: "record",
  sequence,
  text: `DOWN|id-${sequence}-id|shop|1`,
  signatureHex: "0".repeat(6618),
  key: "0".repeat(64),
});

function follow(least: number) {
  const heard: (string | number)[] = [];
  const { seal, say, sockets } = sealOf(least);
  const take = (event: NodeEvent) => {
    if (event.on === "record") heard.push(event.record.sequence);
    else if (event.on === "head") heard.push(`head ${event.sequence}`);
  };
  const at = { hostname: "127.0.26.1", port: 1 };
  const known = () => ({ from: 0, last: 0 });
  const follower = new Follower([at], known, take, () => {}, () => {}, seal);
  return { heard, say, sockets, follower };
}

Deno.test("a fresh node believes nothing of a log that is shorter than its token knows", () => {
  const { heard, say, sockets, follower } = follow(3);
  using _ = follower;
  say(record(1));
  say(record(2));
  say({ k: "head", sequence: 2 });
  assertEquals(heard, []);
  assertEquals(sockets[0]!.closed, true);
});

Deno.test("a fresh node takes a log that is as long as its token knows, or longer", () => {
  for (const last of [3, 5]) {
    const { heard, say, follower } = follow(3);
    using _ = follower;
    for (let sequence = 1; sequence <= last; sequence++) say(record(sequence));
    say({ k: "head", sequence: last });
    const all = Array.from({ length: last }, (_, at) => at + 1);
    assertEquals(heard, [...all, `head ${last}`]);
  }
});
