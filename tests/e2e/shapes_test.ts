// The market in both shapes on a cluster, through the ingress: the same shopping, while every program
// is killed in turn; and what goes on while all replicas of one of the five are gone.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Shopper } from "../../bench/shopping.ts";
import { conductorAt } from "../../cli/conductor.ts";
import type { AppView, StatusView } from "../../core/view.ts";
import { SHAPES } from "../../market/launch.ts";
import {
  ClusterProcess,
  daemonPid,
  kill,
  ownCluster,
  startClusterTask,
  until,
} from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

const ANSWER_MS = 10_000;
const RECOVER_MS = 60_000;
const PRODUCTS = [1, 2, 3, 4, 5, 6, 7, 8];

for (const shape of ["nine", "five"] as const) {
  Deno.test(`the market as ${shape}: shopping goes on while every program is killed in turn`, async (t) => {
    await using cluster = await startClusterTask([`--shape=${shape}`, "--only=all"]);
    const line = await cluster.ready();
    assert(line.ready, line.error);
    const at = (address: string) => {
      const { hostname, port } = new URL(address.includes("//") ? address : `http://${address}`);
      return { hostname, port: Number(port) };
    };
    const conductor = conductorAt(at(line.conductor), ANSWER_MS);
    const apps = async (): Promise<readonly AppView[]> =>
      (await conductor.get<StatusView>("/api/status")).apps;
    const shopper = await Shopper.register(at(line.ingress));
    const orders: string[] = [];
    const visit = async () => {
      await shopper.page(PRODUCTS[orders.length % PRODUCTS.length]!);
      const cart = await shopper.cart(PRODUCTS[orders.length % PRODUCTS.length]!);
      const order = await shopper.checkOut(cart);
      assert(order, "sold out");
      orders.push(order);
    };
    const recovered = (gone: ReadonlySet<number>) =>
      until(RECOVER_MS, "every program has its replicas again", async () => {
        const all = await apps();
        return all.length === SHAPES[shape].length &&
          all.every(({ state, ready, wanted, replicas }) =>
            state === "ready" && ready === wanted &&
            replicas.every(({ pid }) => pid !== undefined && !gone.has(pid))
          );
      });
    const gone = new Set<number>();
    const killAll = async (program: string, most: number) => {
      const app = (await apps()).find((each) => each.app === program)!;
      for (const { pid } of app.replicas.slice(0, most)) {
        gone.add(pid!);
        kill(pid!, "SIGKILL");
      }
    };
    await visit();
    await t.step("one replica of each is killed: the next visit is as the last", async () => {
      for (const program of SHAPES[shape]) {
        await killAll(program, 1);
        // A request that was under way in it is lost with it; the next finds the other replica.
        await until(RECOVER_MS, `a visit without ${program}`, () => tried(visit));
        await recovered(gone);
      }
    });
    await t.step("the edge gateway, too: there is one, and it is back at once", async () => {
      const pid = await daemonPid(cluster.state, "ingress");
      kill(pid, "SIGKILL");
      await until(RECOVER_MS, "a visit after the loss of the ingress", () => tried(visit));
      assertNotEquals(await daemonPid(cluster.state, "ingress"), pid);
    });
    if (shape === "five") {
      await fiveGone({
        killAll,
        recovered: () => recovered(gone),
        visit,
        shopper,
        orders,
      });
    }
    if (shape === "five") {
      await t.step(
        "what the sink makes of the traces is among the logs that the deck shows",
        () =>
          until(RECOVER_MS, "a summary of core-api", async () => {
            const { code, stdout } = await new Deno.Command(Deno.execPath(), {
              args: [
                ...["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor],
                ...["logs", "--all", "--grep", '"event":"summary","service":"core-api"'],
              ],
              cwd: ROOT,
              env: { NO_COLOR: "1" },
            }).output();
            return code === 0 && stdout.length > 0;
          }),
      );
    }
    await t.step("every order is there, once", async () => {
      const { body } = await shopper.ask(
        "GET",
        `/api/orders/user/${shopper.userId}?per_page=100`,
      );
      const there = body.items.map(({ id }: { id: string }) => id);
      assertEquals(orders.filter((id) => !there.includes(id)), []);
      assertEquals(new Set(there).size, there.length);
    });
    await cluster.stop();
  });
}

async function tried(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch {
    return false;
  }
}

interface Scene {
  killAll(program: string, most: number): Promise<void>;
  recovered(): Promise<void>;
  visit(): Promise<void>;
  readonly shopper: Shopper;
  readonly orders: readonly string[];
}

/** All replicas of one of the five at once: what needs it waits, the rest goes on. */
async function fiveGone({ killAll, recovered, visit, shopper, orders }: Scene): Promise<void> {
  // Neither is needed for a visit: what is for the worker waits in the order's own store.
  for (const program of ["telemetry-sink", "async-worker", "identity-provider"]) {
    await killAll(program, Infinity);
    await visit();
    await recovered();
  }
  await killAll("core-api", Infinity);
  await until(RECOVER_MS, "a visit after the loss of core-api", () => tried(visit));
  await recovered();
  for (const order of orders) {
    await until(RECOVER_MS, `the invoice of ${order}`, async () => {
      const { status } = await shopper.ask("GET", `/api/invoices/${order}`);
      return status === 200;
    });
  }
}

Deno.test("a cluster that starts in another shape takes down what the last one left", async () => {
  const { state, flags } = await ownCluster();
  const start = (...more: string[]) =>
    new ClusterProcess(state, [Deno.execPath(), "task", "-q", "cluster", ...flags, ...more]);
  const nine = start("--only=product-svc");
  assert((await nine.ready()).ready);
  await nine.stop();
  await using five = start("--shape=five", "--only=telemetry-sink");
  const line = await five.ready();
  assert(line.ready, line.error);
  const { apps } = await (await fetch(`http://${line.conductor}/api/status`)).json();
  const up = apps.filter((app: AppView) => app.state !== "down").map((app: AppView) => app.app);
  assertEquals(up, ["telemetry-sink"]);
  await five.stop();
});
