import { eventually } from "./kit/testing.ts";
import type { Running } from "./launch.ts";

// The market's programs under test: real processes, real sockets.

/** Waits until a program is healthy; where it listens. */
export async function ready(running: Running): Promise<string> {
  const url = await running.url();
  await eventually(`${running.service} is ready`, async () => {
    const response = await fetch(`${url}/health`);
    const text = await response.text();
    return response.ok && text === "ok";
  });
  return url;
}

/** Asks a program to stop and waits until it has; its exit code. */
export async function stop(running: Running): Promise<number> {
  try {
    running.kill("SIGTERM");
  } catch {
    // It has ended by itself; its status says how.
  }
  return (await running.status).code;
}

/** A stand-in for the tower: `GET /lookup/<app>` answers what it was told. */
export interface TestTower {
  readonly url: string;
  readonly endpoints: Map<string, string[]>;
  stop(): Promise<void>;
}

/** Starts a tower that knows nothing yet; `endpoints` maps an app to its URLs. */
export function startTower(): TestTower {
  const endpoints = new Map<string, string[]>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const app = new URL(request.url).pathname.replace("/lookup/", "");
    const found = (endpoints.get(app) ?? []).map((url, at) => {
      const { hostname, port } = new URL(url);
      return { host: hostname, port: Number(port), replica: `${app}-${at}` };
    });
    return Response.json({ app, endpoints: found });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    endpoints,
    stop: () => server.shutdown(),
  };
}
