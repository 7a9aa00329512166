// An ingress with several towers watches one of them, and leaves it when it is silent or gone.

import { assertEquals } from "@std/assert";
import type { IngressEvent } from "../machine.ts";
import { openWatch } from "./watch.ts";

const SNAPSHOT = {
  k: "snapshot",
  tower: "a".repeat(16),
  revision: 1,
  complete: true,
  endpoints: [],
};

/** A tower that says that it is there, or stands still. */
class Tower implements AsyncDisposable {
  silent = false;
  readonly sockets = new Set<WebSocket>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #alive: ReturnType<typeof setInterval>;

  constructor(readonly name: string) {
    this.#server = Deno.serve(
      { hostname: "127.0.44.21", port: 0, onListen: () => {} },
      (request) => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => {
          this.sockets.add(socket);
          socket.send(JSON.stringify({ ...SNAPSHOT, tower: this.name.repeat(16), routes: [] }));
        };
        socket.onclose = () => this.sockets.delete(socket);
        return response;
      },
    );
    this.#alive = setInterval(() => {
      if (this.silent) return;
      for (const socket of this.sockets) socket.send(JSON.stringify({ k: "alive" }));
    }, 100);
  }

  get at(): string {
    return `127.0.44.21:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#alive);
    for (const socket of this.sockets) socket.close();
    await this.#server.shutdown();
  }
}

Deno.test("an ingress leaves a tower that is silent, and one that is gone, for the next", async () => {
  await using one = new Tower("1");
  await using two = new Tower("2");
  const seen: string[] = [];
  let wake = Promise.withResolvers<void>();
  const receive = (event: IngressEvent) => {
    if (event.k !== "message" || event.message.k !== "snapshot") return;
    seen.push(event.message.tower[0]!);
    wake.resolve();
  };
  const next = async () => {
    await wake.promise;
    wake = Promise.withResolvers();
    return seen.at(-1);
  };
  const watch = openWatch(`${one.at},${two.at}`, receive);
  try {
    assertEquals(await next(), "1");
    one.silent = true;
    assertEquals(await next(), "2");
    one.silent = false;
    for (const socket of two.sockets) socket.close();
    assertEquals(await next(), "1");
    assertEquals(seen, ["1", "2", "1"]);
  } finally {
    watch.close();
  }
});
