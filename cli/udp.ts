// One question, one answer over UDP.

import { type Address, isLoopback } from "../core/address.ts";
import { answerTo, commandIdOf } from "../core/command.ts";
import { DATAGRAM_BYTES } from "../core/limits.ts";
import { decodeDatagram } from "../core/wire.ts";

/** A datagram may be lost: a question that may be asked twice is asked again this often, ms. */
const AGAIN_MS = 250;

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true });

/**
 * Sends a datagram and resolves to the first well-formed answer, or to `null` when none has come
 * in time or `signal` is aborted. With `repeat` the datagram is sent again every 250 ms. Only what
 * comes from the port that was asked counts, and to a command with an id only the answer of that id:
 * our own port may have been a node's or another command's a moment ago.
 */
export async function askUdp(
  to: Address,
  text: string,
  options: {
    readonly timeoutMs: number;
    readonly repeat?: boolean;
    readonly signal?: AbortSignal;
  },
): Promise<string | null> {
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: localFor(to.hostname),
    port: 0,
  });
  const bytes = encoder.encode(text);
  const send = () => {
    // Not sent is as good as lost: whoever waits will see the deadline pass.
    const { hostname, port } = to;
    socket.send(bytes, { transport: "udp", hostname, port }).catch(() => {});
  };
  const close = () => {
    try {
      socket.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  };
  const deadline = setTimeout(close, options.timeoutMs);
  const again = options.repeat ? setInterval(send, AGAIN_MS) : undefined;
  options.signal?.addEventListener("abort", close);
  try {
    if (options.signal?.aborted) return null;
    send();
    return await receive(socket, to.port, commandIdOf(text));
  } finally {
    clearTimeout(deadline);
    clearInterval(again);
    options.signal?.removeEventListener("abort", close);
    close();
  }
}

/** Where to listen for the answer: what talks to this machine need not be reached from others. */
function localFor(hostname: string): string {
  if (isLoopback(hostname)) return hostname.includes(":") ? "::1" : "127.0.0.1";
  return hostname.includes(":") ? "::" : "0.0.0.0";
}

/** The first well-formed answer, to the command of this id if any; `null` once the socket is closed. */
async function receive(
  socket: Deno.DatagramConn,
  port: number,
  id: string | null,
): Promise<string | null> {
  const buffer = new Uint8Array(DATAGRAM_BYTES + 1);
  for (;;) {
    try {
      const [bytes, from] = await socket.receive(buffer);
      // Of several addresses a daemon may answer from another one than was asked.
      if ((from as Deno.NetAddr).port !== port) continue;
      const text = decodeDatagram(bytes, (each) => strict.decode(each));
      const answer = text !== null && id !== null ? answerTo(id, text) : text;
      if (answer !== null) return answer;
    } catch (error) {
      if (closed(error)) return null;
      // Linux reports "nobody listens there" on the next receive; the answer may still come.
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }
}

function closed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
