import { assert, assertEquals } from "@std/assert";
import { eachStore, placeEnv } from "../../kit/testing_stores.ts";
import { launch, type Running } from "../../launch.ts";
import { ready, stop } from "../../testing_programs.ts";
import { startSmtp } from "../testing_smtp.ts";

// The worker as a program, killed with SIGKILL at the worst moments: while a mail server is about to
// take a mail on, and when it has taken it on and the worker has not heard of it yet.

const ORDERS = 12;
const TOKEN = "a-shared-secret";

/** Answers for identity-provider and core-api as far as the worker asks. */
function startOthers() {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const user = /^\/api\/contact\/(.*)$/.exec(pathname)?.[1];
    if (user) return Response.json({ name: "Ada Byron", email: `${user}@shop.test` });
    return Response.json({ ordered: [], products: 0 });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}

const orderOf = (at: number) => ({
  id: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
  user_id: `user-${at}`,
  items: [{ product_id: 1, sku: "A-1", name: "Lamp", price: 500, quantity: 1, line_total: 500 }],
  ...{ subtotal: 500, shipping: 599, tax: 105, total: 1_204 },
  shipping_address: {
    name: "Ada Byron",
    line1: "1 Harbour Street",
    city: "Rotterdam",
    postal_code: "3011 AA",
    country: "NL",
  },
  created_at: "2026-01-17T12:00:00.000Z",
});

eachStore(
  "a worker killed at the worst moments loses no mail and sends none twice to a mailbox",
  async (place) => {
    let worker: Running | undefined;
    let kills = 0;
    /** The mail whose sender was killed before it could hear that it was taken on. */
    let unheard = "";
    let life = 0;
    /** What was taken on, and from which life of the worker. */
    const taken: { readonly id: string; readonly life: number }[] = [];
    const lives = (id: string) => taken.filter((each) => each.id === id).map(({ life }) => life);
    const kill = async () => {
      kills++;
      worker!.kill("SIGKILL");
      await worker!.status;
    };
    let arrived = 0;
    const smtp = await startSmtp({
      async arriving() {
        if (++arrived !== 2) return;
        await kill();
        throw new Error("the connection is gone");
      },
      async taken({ id }) {
        taken.push({ id, life });
        if (unheard !== "" || taken.length < 5) return;
        unheard = id;
        await kill();
      },
    });
    const others = startOthers();
    const start = async () => {
      life++;
      worker = launch("async-worker", {
        host: "127.0.0.1",
        port: 0,
        replica: "w1",
        env: {
          DATA_DIR: "/tmp/market-unused",
          ...placeEnv(place),
          SMTP_URL: smtp.url,
          SERVICE_TOKEN: TOKEN,
          CORE_API_URL: others.url,
          IDENTITY_PROVIDER_URL: others.url,
        },
      });
      return await ready(worker);
    };
    const add = async (url: string, at: number) => {
      const order = orderOf(at);
      const response = await fetch(`${url}/api/jobs`, {
        method: "POST",
        headers: { "x-service-token": TOKEN },
        body: JSON.stringify({
          kind: "order-confirmed",
          key: `order-confirmed:${order.id}`,
          payload: order,
        }),
      });
      await response.body?.cancel();
      assertEquals(response.status, 202);
    };
    try {
      let url = await start();
      const pending = new Set(Array.from({ length: ORDERS }, (_, at) => at));
      const expected = [...pending]
        .map((at) => `<order-confirmed.${orderOf(at).id}@sovereign-market.invalid>`).sort();
      const deadline = performance.now() + 60_000;
      while (smtp.ids().length < ORDERS || lives(unheard).length < 2) {
        assert(performance.now() < deadline, `${taken.length} mails came`);
        // As the saga does: an order is told until somebody has answered for it.
        for (const at of pending) {
          const told = await add(url, at).then(() => true, () => false);
          if (!told) break;
          pending.delete(at);
        }
        const ended = await Promise.race([
          worker!.status.then(() => true),
          new Promise<false>((resolve) => setTimeout(() => resolve(false), 50)),
        ]);
        if (ended) url = await start();
      }
      assertEquals(smtp.ids(), expected, "nothing is lost, nothing else is sent");
      assertEquals(kills, 2);
      // A mail that was taken on unheard comes once more, under the id by which a mailbox knows it.
      // No worker sends one twice, and none is sent that its worker has noted as sent.
      assertEquals(lives(unheard).length, 2);
      for (const id of expected) {
        assertEquals(
          new Set(lives(id)).size,
          lives(id).length,
          `${id} was sent twice by one worker`,
        );
        assert(lives(id).length <= kills + 1);
      }
    } finally {
      if (worker) await stop(worker);
      await others.stop();
      await smtp.stop();
    }
  },
);
