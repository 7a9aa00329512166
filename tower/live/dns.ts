// DNS over UDP and TCP.

import type { Address } from "../../core/address.ts";
import { DNS_CONNECTIONS, DNS_IDLE_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { onOnePort } from "../../core/live/one_port.ts";
import { listenFailure } from "../../core/live/udp.ts";
import type { TowerMachine } from "../machine.ts";

type ReplyTo = typeof import("./dns_codec.ts").replyTo;

/** Largest question over TCP, in bytes. */
const QUESTION_BYTES = 4_096;

/** The DNS side of a tower. */
export interface LiveDns extends AsyncDisposable {
  readonly address: Address;
  /** Answers so far, by response code. */
  readonly answered: ReadonlyMap<string, number>;
}

/**
 * Answers DNS for the tower's registry on one port, UDP and TCP (0: one that is free as both).
 * Addresses that may not read get no answer.
 *
 * @throws {Failure} `port-taken` or `cannot-listen`.
 */
export function startDns(address: Address, machine: TowerMachine): LiveDns {
  return new RunningDns(address, machine);
}

class RunningDns implements LiveDns {
  readonly address: Address;
  readonly answered = new Map<string, number>();
  readonly #machine: TowerMachine;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #log = logger("tower", "dns");
  readonly #loops: Promise<unknown>[];
  #replyTo: ReplyTo | null = null;
  #turn = 0;
  #open = true;

  constructor({ hostname, port }: Address, machine: TowerMachine) {
    this.#machine = machine;
    const { udp, tcp } = onOnePort(port, () => listen(hostname, port));
    this.#udp = udp;
    this.#tcp = tcp;
    this.address = { hostname, port: tcp.addr.port };
    this.#loops = [this.#datagrams(), this.#accept()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#connections) close(connection);
    await Promise.all(this.#loops);
  }

  async #datagrams(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (this.#open) {
      try {
        const [bytes, from] = await this.#udp.receive(buffer);
        const reply = await this.#reply(bytes, "udp", (from as Deno.NetAddr).hostname);
        // A datagram that cannot be sent is a lost datagram.
        if (reply !== null) this.#udp.send(reply, from).catch(() => {});
      } catch (error) {
        if (this.#open) this.#log.warn("receive failed: {error}", { error: String(error) });
      }
    }
  }

  async #accept(): Promise<void> {
    while (this.#open) {
      try {
        const connection = await this.#tcp.accept();
        if (this.#connections.size >= DNS_CONNECTIONS) close(connection);
        else this.#serve(connection);
      } catch (error) {
        if (this.#open) this.#log.warn("accept failed: {error}", { error: String(error) });
      }
    }
  }

  /** One connection: questions one after the other, each behind its length (RFC 1035, 4.2.2). */
  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const { hostname } = connection.remoteAddr;
    // One deadline for reading and writing alike: who is slow with either has to come again.
    let idle = setTimeout(() => close(connection), DNS_IDLE_MS);
    try {
      for (;;) {
        const head = await readFull(connection, 2);
        const length = head === null ? 0 : head[0]! << 8 | head[1]!;
        if (length === 0 || length > QUESTION_BYTES) return;
        const question = await readFull(connection, length);
        const reply = question && await this.#reply(question, "tcp", hostname);
        if (!reply) return;
        const framed = new Uint8Array(2 + reply.length);
        framed.set([reply.length >> 8, reply.length & 0xff]);
        framed.set(reply, 2);
        await writeAll(connection, framed);
        clearTimeout(idle);
        idle = setTimeout(() => close(connection), DNS_IDLE_MS);
      }
    } catch {
      // It was closed, by either side.
    } finally {
      clearTimeout(idle);
      this.#connections.delete(connection);
      close(connection);
    }
  }

  async #reply(bytes: Uint8Array, over: "udp" | "tcp", host: string): Promise<Uint8Array | null> {
    const { access, counters, registry, watch } = this.#machine;
    if (!access.mayRead(host)) {
      counters.refused++;
      return null;
    }
    // Loaded with the first question: where nobody asks, it takes no memory.
    this.#replyTo ??= (await import("./dns_codec.ts")).replyTo;
    const reply = this.#replyTo(bytes, over, {
      ofApp: (app) => registry.ofApp(app),
      isComplete: watch.isComplete,
      revision: watch.revision,
    }, this.#turn++);
    if (reply === null) {
      counters.garbage++;
      return null;
    }
    this.answered.set(reply.rcode, (this.answered.get(reply.rcode) ?? 0) + 1);
    return reply.bytes;
  }
}

function listen(hostname: string, port: number): { udp: Deno.DatagramConn; tcp: Deno.TcpListener } {
  let tcp: Deno.TcpListener;
  try {
    tcp = Deno.listen({ hostname, port });
  } catch (error) {
    throw listenFailure("TCP", hostname, port, error);
  }
  try {
    const udp = Deno.listenDatagram({ transport: "udp", hostname, port: tcp.addr.port });
    return { udp, tcp };
  } catch (error) {
    tcp.close();
    throw listenFailure("UDP", hostname, tcp.addr.port, error);
  }
}

async function readFull(connection: Deno.Conn, length: number): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) return null;
    at += count;
  }
  return bytes;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
