// The small native static server that the rows deploy: busybox's, else nginx.

import { kill } from "./processes.ts";
import { type Recorder } from "./row.ts";
import { NotMeasured } from "./row.ts";
import { median } from "./statistics.ts";
import { answers } from "./world.ts";

export interface StaticServer {
  readonly program: string;
  /** Arguments that serve `folder` at `at` (`HOST:PORT`), quoted for a manifest. */
  args(folder: string, at: string): readonly string[];
}

const BUSYBOX: StaticServer = {
  program: "/usr/bin/busybox",
  args: (folder, at) => ["httpd", "-f", "-p", at, "-h", folder],
};

const NGINX: StaticServer = {
  program: "/usr/sbin/nginx",
  args: (folder, at) => [
    ...["-p", folder, "-c", "/dev/null", "-e", "/dev/null", "-g"],
    "daemon off; master_process off; pid /dev/null; events {} http { access_log off; " +
    `server { listen ${at}; root ${folder}; } }`,
  ],
};

/**
 * The server that is there.
 *
 * @throws {NotMeasured} where there is none.
 */
export async function findServer(recorder: Recorder): Promise<StaticServer> {
  for (const server of [BUSYBOX, NGINX]) {
    const found = await Deno.stat(server.program).then(({ isFile }) => isFile, () => false);
    if (!found) continue;
    if (server === NGINX) recorder.note("served by nginx: busybox is not installed");
    return server;
  }
  throw new NotMeasured("needs busybox or nginx (apt-get install busybox)");
}

/** A manifest for the server; requests for `/<app>...` are answered by the file of that name. */
export function manifestOf(
  server: StaticServer,
  app: string,
  folder: string,
  options: { readonly replicas?: number; readonly release?: number } = {},
): string {
  const words = server.args(folder, "${IP}:${PORT}").map((word) =>
    /[ ;]/.test(word) ? `'${word}'` : word
  );
  return `app ${app}
  exec     ${server.program}
  args     ${words.join(" ")}
  port     8650
  replicas ${options.replicas ?? 1}
  env {
    RELEASE "${options.release ?? 1}"
  }
  health {
    check    GET /${app} 200
    interval 1s
    timeout  1s
  }
  route {
    path /${app}
  }
`;
}

/** Makes the folder that is served, with one file for each app. */
export async function makeSite(folder: string, apps: readonly string[]): Promise<string> {
  const site = `${folder}/site`;
  await Deno.mkdir(site, { recursive: true });
  for (const app of apps) await Deno.writeTextFile(`${site}/${app}`, `${app}\n`);
  return site;
}

/** How long the server itself takes from its start to its first answer, ms: median of ten. */
export async function ownStartMs(
  server: StaticServer,
  site: string,
  file: string,
): Promise<number> {
  const samples: number[] = [];
  const hostname = "127.0.0.1";
  for (let run = 0; run < 10; run++) {
    const listener = Deno.listen({ hostname, port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    const startedMs = performance.now();
    const child = new Deno.Command(server.program, {
      args: [...server.args(site, `${hostname}:${port}`)],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    samples.push(await answers({ hostname, port }, `/${file}`) - startedMs);
    kill(child.pid, "SIGKILL");
    await child.status;
  }
  return median(samples);
}
