// The shop that the browser tests visit: a running one by SHOP_URL (a cluster's ingress), else the
// nine real programs with their manifests' permissions, on free ports and an empty folder.

import { launch, type Running, type ServiceName, SERVICES } from "../../market/launch.ts";
import { buildFront } from "../../market/web/build.ts";
import { createShop } from "../../market/web/dev_proxy.ts";

export interface Shop {
  /** Without a slash at the end. */
  readonly url: string;
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
  const started: Running[] = [];
  const close = async () => {
    for (const running of started) stop(running);
    await Promise.all(started.map((running) => running.status));
    await Promise.all([tower.shutdown(), front.shutdown()]);
    await Deno.remove(folder, { recursive: true });
  };
  const front = serve(createShop((service) => origins.get(service)));
  try {
    for (const service of SERVICES) {
      started.push(launch(service, {
        host: "127.0.0.1",
        port: 0,
        replica: "r1",
        env: { SKR8TR_TOWER: urlOf(tower), DATA_DIR: await ownFolder(folder, service) },
      }));
    }
    await Promise.all(started.map(async (running) => {
      origins.set(running.service, await running.url());
    }));
    await Promise.all(started.map(({ service }) => ready(service, origins.get(service)!)));
  } catch (error) {
    await close();
    throw error;
  }
  return { url: urlOf(front), close };
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

async function ownFolder(folder: string, service: string): Promise<string> {
  await Deno.mkdir(`${folder}/${service}`);
  return `${folder}/${service}`;
}

function stop(running: Running): void {
  try {
    running.kill("SIGTERM");
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
