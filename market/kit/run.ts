import { STOP_MS } from "./limits.ts";
import { createDirectory } from "./directory.ts";
import { startExporter } from "./exporter.ts";
import { noteTo, type Service, type Surroundings } from "./service.ts";

/**
 * Runs a service as a program: listens on `HOST`:`PORT`, and at SIGTERM or SIGINT stops accepting,
 * finishes what it has (at most `STOP_MS`) and closes its stores.
 *
 * @param name the app's name where `APP` does not say it
 * @param defaultPort where `PORT` does not say it: the port of development
 * @param sink the app that is told what the program logs and how it is; none by default
 */
export async function run(
  name: string,
  defaultPort: number,
  create: (around: Surroundings) => Service | Promise<Service>,
  sink?: string,
): Promise<void> {
  const env = (key: string) => Deno.env.get(key);
  const outside = { env, fetch, now: Date.now };
  const exporter = sink === undefined
    ? undefined
    : startExporter(createDirectory(outside, [sink]), {
      sink,
      service: env("APP") ?? name,
      replica: env("REPLICA_ID") ?? env("REPLICA") ?? "",
      now: Date.now,
      memoryBytes: () => Deno.memoryUsage().rss,
    });
  const around: Surroundings = {
    name: env("APP") ?? name,
    replica: env("REPLICA_ID") ?? env("REPLICA") ?? "",
    node: env("NODE") ?? "",
    ...outside,
    log(line) {
      console.log(line);
      exporter?.line(line);
    },
    measure: (read) => exporter?.measure(read),
  };
  const service = await create(around);
  const note = noteTo(around);
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
  await exporter?.close();
  Deno.exit(0);
}
