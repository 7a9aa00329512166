import type { ClientList, Http1Client } from "./client.ts";
import type { Proxy } from "./proxy.ts";

/** All clients of an ingress, whatever port they came by. */
export class ClientSet implements ClientList {
  private readonly clients = new Set<Http1Client>();
  private emptied: (() => void) | null = null;
  /** Called whenever a client has gone. */
  onLeave: () => void = () => {};

  constructor(private readonly proxy: Proxy) {}

  get size(): number {
    return this.clients.size;
  }

  /** Takes a client in and begins to serve it. */
  add(client: Http1Client): void {
    this.clients.add(client);
    this.proxy.metrics.connections = this.clients.size;
    client.begin();
    if (this.proxy.draining) client.drain();
  }

  clientClosed(client: Http1Client): void {
    this.clients.delete(client);
    this.proxy.metrics.connections = this.clients.size;
    this.onLeave();
    if (this.clients.size === 0) this.emptied?.();
  }

  /** Ends what takes too long. */
  check(nowMs: number): void {
    for (const client of this.clients) client.check(nowMs);
  }

  /** Resolves when all have ended what they do, or after `drainMs` without the rest. */
  async drain(drainMs: number): Promise<void> {
    for (const client of this.clients) client.drain();
    if (this.clients.size > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.emptied = resolve),
        new Promise<void>((resolve) => timer = setTimeout(resolve, drainMs)),
      ]);
      clearTimeout(timer);
    }
    for (const client of [...this.clients]) client.destroy();
  }
}
