import type { Address } from "../address.ts";
import { decodeDatagram } from "../wire.ts";
import { Failure } from "../errors.ts";
import { logger } from "./log.ts";

export type { Address };

/** An open UDP socket that carries text. */
export interface Udp extends AsyncDisposable {
  readonly address: Address;
  /** Datagrams that were dropped: empty, oversized, not UTF-8, with a NUL; and failed sends. */
  readonly counters: { received: number; dropped: number; sent: number; sendFailed: number };
  /** Sends, without a promise that it arrives. Never throws: a lost datagram is a lost datagram. */
  send(text: string, to: Address): void;
  /** The same for bytes. */
  sendBytes(bytes: Uint8Array, to: Address): void;
}

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Opens a UDP socket and hands every well-formed datagram to `receive`; `take` sees its bytes first
 * and says whether that was all. They are overwritten by the next datagram.
 *
 * @throws {Failure} `port-taken` or `cannot-listen`, with the remedy.
 */
export function openUdp(
  options: Address & {
    receive(text: string, from: Address): void;
    take?(bytes: Uint8Array, from: Address): boolean;
    /** Says whether a datagram of this source is looked at; without, all are. */
    admit?(hostname: string): boolean;
  },
): Udp {
  const { hostname, port, receive, take } = options;
  const socket = listen(hostname, port);
  const counters = { received: 0, dropped: 0, sent: 0, sendFailed: 0 };
  const log = logger("udp");
  let open = true;

  const loop = async () => {
    const buffer = new Uint8Array(65_536);
    while (open) {
      let from: Deno.Addr;
      let bytes: Uint8Array;
      try {
        [bytes, from] = await socket.receive(buffer);
      } catch (error) {
        if (!open) return;
        log.warn("receive failed: {error}", { error: String(error) });
        continue;
      }
      counters.received++;
      if (take?.(bytes, from as Deno.NetAddr)) continue;
      if (options.admit?.((from as Deno.NetAddr).hostname) === false) {
        counters.dropped++;
        continue;
      }
      const text = decodeDatagram(bytes, (each) => strict.decode(each));
      if (text === null) counters.dropped++;
      else receive(text, from as Deno.NetAddr);
    }
  };
  const finished = loop();
  const sendBytes = (bytes: Uint8Array, { hostname, port }: Address) => {
    socket.send(bytes, { transport: "udp", hostname, port }).then(
      () => counters.sent++,
      () => counters.sendFailed++,
    );
  };

  return {
    address: socket.addr as Deno.NetAddr,
    counters,
    send: (text, to) => sendBytes(encoder.encode(text), to),
    sendBytes,
    async [Symbol.asyncDispose]() {
      open = false;
      socket.close();
      await finished;
    },
  };
}

function listen(hostname: string, port: number): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port });
  } catch (error) {
    throw listenFailure("UDP", hostname, port, error);
  }
}

/** Turns the failure to listen into one that says what to do. */
export function listenFailure(
  protocol: "UDP" | "TCP",
  hostname: string,
  port: number,
  error: unknown,
): Failure {
  const where = `${protocol} ${hostname}:${port}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new Failure(
      "port-taken",
      `cannot listen on ${where}: another program has this port; stop it, or choose another port`,
    );
  }
  return new Failure("cannot-listen", `cannot listen on ${where}: ${(error as Error).message}`);
}
