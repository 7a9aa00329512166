// A way to a daemon that loses, repeats and reorders datagrams; TCP goes through as it is, since TCP
// mends all that by itself.

import type { Address } from "../../core/address.ts";
import type { Prng } from "../../core/prng.ts";

export interface RelayOptions {
  readonly hostname: string;
  readonly to: Address;
  /** Shares of datagrams lost and sent twice, 0 to 1, each way. */
  readonly loss: number;
  readonly repeat: number;
  /** Each is held for up to this long, so that they overtake each other, in ms. */
  readonly delayMs: number;
  /** Whether TCP is passed on, too. */
  readonly tcp: boolean;
  readonly prng: Prng;
}

export class Relay implements AsyncDisposable {
  readonly counters = { passed: 0, lost: 0, repeated: 0 };
  readonly address: Address;
  readonly #options: RelayOptions;
  readonly #front: Deno.DatagramConn;
  /** One socket towards the daemon for each client, so that answers find their way. */
  readonly #backs = new Map<string, Deno.DatagramConn>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #tcp: Deno.TcpListener | null;
  readonly #work: Promise<unknown>[] = [];
  readonly #connections = new Set<Deno.TcpConn>();

  constructor(options: RelayOptions) {
    this.#options = options;
    const { hostname } = options;
    this.#front = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const { port } = this.#front.addr as Deno.NetAddr;
    this.address = { hostname, port };
    this.#tcp = options.tcp ? Deno.listen({ hostname, port }) : null;
    this.#work.push(this.#fromClients());
    if (this.#tcp) this.#work.push(this.#acceptTcp(this.#tcp));
  }

  async #fromClients(): Promise<void> {
    for await (const [bytes, from] of this.#front) {
      const client = from as Deno.NetAddr;
      const key = `${client.hostname}:${client.port}`;
      let back = this.#backs.get(key);
      if (!back) {
        const { hostname } = this.#options;
        back = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
        this.#backs.set(key, back);
        this.#work.push(this.#toClient(back, client));
      }
      const to = back;
      this.#pass(bytes, (copy) => to.send(copy, { transport: "udp", ...this.#options.to }));
    }
  }

  async #toClient(back: Deno.DatagramConn, client: Deno.NetAddr): Promise<void> {
    for await (const [bytes] of back) {
      this.#pass(bytes, (copy) => this.#front.send(copy, client));
    }
  }

  #pass(
    bytes: Uint8Array<ArrayBuffer>,
    send: (bytes: Uint8Array<ArrayBuffer>) => Promise<number>,
  ): void {
    const { loss, repeat, delayMs, prng } = this.#options;
    const copies = prng.next() < repeat ? 2 : 1;
    this.counters.repeated += copies - 1;
    const copied = bytes.slice();
    for (let copy = 0; copy < copies; copy++) {
      if (prng.next() < loss) {
        this.counters.lost++;
        continue;
      }
      this.counters.passed++;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        // Whoever has gone does not hear it.
        send(copied).catch(() => {});
      }, prng.next() * delayMs);
      this.#timers.add(timer);
    }
  }

  async #acceptTcp(listener: Deno.TcpListener): Promise<void> {
    for await (const client of listener) {
      const { hostname, port } = this.#options.to;
      const server = await Deno.connect({ hostname, port });
      this.#connections.add(client).add(server);
      for (const [one, other] of [[client, server], [server, client]] as const) {
        this.#work.push(one.readable.pipeTo(other.writable).catch(() => {}));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#front.close();
    for (const back of this.#backs.values()) back.close();
    this.#tcp?.close();
    for (const connection of this.#connections) {
      try {
        connection.close();
      } catch {
        // Its stream has closed it.
      }
    }
    await Promise.all(this.#work);
  }
}
