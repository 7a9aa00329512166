// The shop that the browser tests visit: a running one by SHOP_URL (a cluster's ingress), else the
// nine real programs with their manifests' permissions, on free ports and an empty folder.

import { launch, type Running, type ServiceName, SERVICES } from "../../market/launch.ts";
import { buildFront } from "../../market/web/build.ts";
import { createShop } from "../../market/web/dev_proxy.ts";
import { type Mailbox, mailboxIn } from "./mailbox.ts";

export interface Shop {
  /** Without a slash at the end. */
  readonly url: string;
  /** Only a shop of our own has this. */
  readonly mails?: Mailbox;
  /** Kills every program and starts it again; only a shop of our own has this. */
  restartAll?(): Promise<void>;
  close(): Promise<void>;
}

/** How long a program may take to be ready, ms. */
const READY_MS = 30_000;

/** The shop at SHOP_URL, else one of our own that `close()` ends. */
export async function startShop(): Promise<Shop> {
  const given = Deno.env.get("SHOP_URL");
  if (given) return { url: given.replace(/\/+$/, ""), close: () => Promise.resolve() };
  await buildFront();
  const folder = await Deno.makeTempDir({ prefix: "market-browser-" });
  const origins = new Map<ServiceName, string>();
  const tower = serve((request) => lookup(request, origins));
  const running = new Map<ServiceName, Running>();
  const start = async (service: ServiceName) => {
    const program = launch(service, {
      host: "127.0.0.1",
      port: 0,
      replica: "r1",
      env: {
        SKR8TR_TOWER: urlOf(tower),
        DATA_DIR: `${folder}/${service}`,
        SHOP_URL: urlOf(front),
      },
    });
    running.set(service, program);
    origins.set(service, await program.url());
    await ready(service, origins.get(service)!);
  };
  const startAll = () => Promise.all(SERVICES.map(start)).then(() => undefined);
  const endAll = async (signal: Deno.Signal) => {
    for (const program of running.values()) end(program, signal);
    await Promise.all([...running.values()].map((program) => program.status));
  };
  const front = serve(createShop((service) => origins.get(service)));
  const close = async () => {
    await endAll("SIGTERM");
    await Promise.all([tower.shutdown(), front.shutdown()]);
    await Deno.remove(folder, { recursive: true });
  };
  try {
    for (const service of SERVICES) await Deno.mkdir(`${folder}/${service}`);
    await startAll();
  } catch (error) {
    await close();
    throw error;
  }
  const restartAll = async () => {
    await endAll("SIGKILL");
    await startAll();
  };
  const mails = mailboxIn(() => [`${folder}/user-svc/outbox`]);
  return { url: urlOf(front), mails, restartAll, close };
}

function serve(handler: (request: Request) => Response | Promise<Response>) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
}

function urlOf(server: Deno.HttpServer<Deno.NetAddr>): string {
  return `http://127.0.0.1:${server.addr.port}`;
}

/** What the tower would say: where an app's replicas are. */
function lookup(request: Request, origins: ReadonlyMap<string, string>): Response {
  const app = new URL(request.url).pathname.split("/").at(-1)!;
  const origin = origins.get(app);
  const endpoints = origin
    ? [{ host: new URL(origin).hostname, port: Number(new URL(origin).port) }]
    : [];
  return Response.json({ endpoints });
}

function end(running: Running, signal: Deno.Signal): void {
  try {
    running.kill(signal);
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** Asks until the service says it is ready; there is no event to wait for outside a cluster. */
async function ready(service: string, origin: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const response = await fetch(`${origin}/health`);
    const text = await response.text();
    if (response.ok) return;
    if (Date.now() > deadline) {
      throw new Error(`${service} was not ready within ${READY_MS} ms: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
