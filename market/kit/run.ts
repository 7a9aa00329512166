import { STOP_MS } from "./limits.ts";
import type { Service, Surroundings } from "./service.ts";

/**
 * Runs a service as a program: listens on `HOST`:`PORT`, and at SIGTERM or SIGINT stops accepting,
 * finishes what it has (at most `STOP_MS`) and closes its stores.
 *
 * @param name the app's name where `APP` does not say it
 * @param defaultPort where `PORT` does not say it: the port of development
 */
export async function run(
  name: string,
  defaultPort: number,
  create: (around: Surroundings) => Service | Promise<Service>,
): Promise<void> {
  const env = (key: string) => Deno.env.get(key);
  const around: Surroundings = {
    name: env("APP") ?? name,
    replica: env("REPLICA_ID") ?? env("REPLICA") ?? "",
    node: env("NODE") ?? "",
    env,
    log: (line) => console.log(line),
    now: Date.now,
    fetch,
  };
  const service = await create(around);
  const note = (event: string, more: Record<string, unknown> = {}) =>
    around.log(JSON.stringify({
      time: new Date().toISOString(),
      app: around.name,
      replica: around.replica,
      node: around.node,
      level: "info",
      event,
      ...more,
    }));
  const server = Deno.serve({
    hostname: env("HOST") ?? "127.0.0.1",
    port: Number(env("PORT") ?? defaultPort),
    onListen: ({ hostname, port }) => note("listening", { hostname, port }),
  }, service.fetch);
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    note("stopping", { signal });
    const deadline = setTimeout(() => {
      note("stopped", { cut: true });
      Deno.exit(1);
    }, STOP_MS);
    Deno.unrefTimer(deadline);
    server.shutdown();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stop(signal));
  }
  await server.finished;
  await service.close();
  note("stopped");
  Deno.exit(0);
}
