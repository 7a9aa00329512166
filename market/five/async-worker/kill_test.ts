import { assert, assertEquals } from "@std/assert";
import { eachStore, placeEnv } from "../../kit/testing_stores.ts";
import { launch, type Running } from "../../launch.ts";
import { ready, stop } from "../../testing_programs.ts";
import { ORDER } from "../testing_order.ts";
import { startSmtp } from "../testing_smtp.ts";

// The worker as a program, killed with SIGKILL at the worst moments: when it has told a mail server
// whom a mail is for, while the server is about to take one on, and when it has taken one on and the
// worker has not heard of it yet. What can be sent twice is that last one, and nothing else.

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

/** The id of an order's mail. */
const idOf = (at: number) => `<order-confirmed.${orderOf(at).id}@sovereign-market.invalid>`;

const orderOf = (at: number) => ({
  id: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
  user_id: `user-${at}`,
  ...ORDER,
});

eachStore(
  "a killed worker loses no mail, and sends twice only the one that was taken on as it died",
  async (place) => {
    let worker: Running | undefined;
    const kills: string[] = [];
    const kill = async (when: string) => {
      kills.push(when);
      worker!.kill("SIGKILL");
      await worker!.status;
    };
    /** The mails that were on their way at the kills. */
    const under: Record<"addressed" | "arriving" | "taken", string> = {
      addressed: "",
      arriving: "",
      taken: "",
    };
    const taken: string[] = [];
    const copies = (id: string) => taken.filter((each) => each === id).length;
    /** The mails that a worker said it may be sending twice. */
    const again = new Set<string>();
    const smtp = await startSmtp({
      async addressed(to) {
        if (under.addressed !== "") return;
        under.addressed = idOf(Number(/^user-(\d+)@/.exec(to)![1]));
        await kill("addressed");
        throw new Error("the connection is gone");
      },
      async arriving({ id }) {
        if (under.arriving !== "" || id === under.addressed || taken.length < 2) return;
        under.arriving = id;
        await kill("arriving");
        throw new Error("the connection is gone");
      },
      async taken({ id }) {
        taken.push(id);
        if (under.taken !== "" || taken.length < 5 || Object.values(under).includes(id)) return;
        under.taken = id;
        await kill("taken");
      },
    });
    const others = startOthers();
    const start = async () => {
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
        line(text) {
          if (text.includes('"event":"mail-again"')) again.add(JSON.parse(text).message_id);
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
      const expected = [...pending].map(idOf).sort();
      const deadline = performance.now() + 90_000;
      while (smtp.ids().length < ORDERS || copies(under.taken) < 2) {
        assert(performance.now() < deadline, `${taken.length} mails came; killed: ${kills}`);
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
      assertEquals(await stop(worker!), 0);
      assertEquals(smtp.ids(), expected, "nothing is lost, nothing else is sent");
      assertEquals(kills.length, 3, String(kills));
      // It came once more, under the id by which a mailbox knows it; all others came once.
      assertEquals(
        Object.fromEntries(expected.map((id) => [id, copies(id)])),
        Object.fromEntries(expected.map((id) => [id, id === under.taken ? 2 : 1])),
      );
      // Before the end of a mail its worker notes that it is there, so the next one knows for which
      // it cannot tell; and for which it can.
      assertEquals(again, new Set([under.arriving, under.taken]));
    } finally {
      if (worker) await stop(worker);
      await others.stop();
      await smtp.stop();
    }
  },
);
