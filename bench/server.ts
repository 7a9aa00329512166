// The small native static server that the rows deploy: busybox's, else nginx.

import { kill } from "./processes.ts";
import { type Recorder } from "./row.ts";
import { NotMeasured } from "./row.ts";
import { median } from "./statistics.ts";
import { answers } from "./world.ts";

export interface StaticServer {
  /** What must be installed. */
  readonly needs: string;
  readonly program: string;
  /** Arguments that serve `folder` at `at` (`HOST:PORT`). */
  args(folder: string, at: string): readonly string[];
}

const BUSYBOX: StaticServer = {
  needs: "/usr/bin/busybox",
  program: "/usr/bin/busybox",
  args: (folder, at) => ["httpd", "-f", "-p", at, "-h", folder],
};

/** nginx takes its port only from a file: this script (of `makeSite`) writes one and becomes it. */
const NGINX_SCRIPT = "nginx.sh";
const NGINX: StaticServer = {
  needs: "/usr/sbin/nginx",
  program: "/bin/sh",
  args: (folder, at) => [`${folder}/${NGINX_SCRIPT}`, folder, at],
};

const NGINX_TEXT = `file=$1/$2.conf
cat >"$file" <<END
daemon off; master_process off; pid $file.pid;
events { worker_connections 512; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path $1/temp; proxy_temp_path $1/temp; fastcgi_temp_path $1/temp;
  uwsgi_temp_path $1/temp; scgi_temp_path $1/temp;
  server { listen $2; root $1; }
}
END
exec /usr/sbin/nginx -p "$1" -c "$file" -e /dev/null
`;

/**
 * The server that is there: busybox's, since it starts in 3 ms; under load nginx, since busybox
 * lets no more than nine connections wait (a tenth is tried again by its kernel a second later).
 *
 * @throws {NotMeasured} where there is none.
 */
export async function findServer(
  recorder: Recorder,
  use: "start" | "load" = "start",
): Promise<StaticServer> {
  const wanted = use === "load" ? [NGINX, BUSYBOX] : [BUSYBOX, NGINX];
  for (const server of wanted) {
    const found = await Deno.stat(server.needs).then(({ isFile }) => isFile, () => false);
    if (!found) continue;
    if (server !== wanted[0]) {
      recorder.note(`served by ${server.needs}: ${wanted[0]!.needs} is not installed`);
    }
    return server;
  }
  throw new NotMeasured("needs busybox or nginx (apt-get install busybox nginx-light)");
}

/** A manifest for the server; requests for `/<app>...` are answered by the file of that name. */
export function manifestOf(
  server: StaticServer,
  app: string,
  folder: string,
  options: { readonly replicas?: number; readonly release?: number } = {},
): string {
  return `app ${app}
  exec     ${server.program}
  args     ${server.args(folder, "${IP}:${PORT}").join(" ")}
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
  await Deno.writeTextFile(`${site}/${NGINX_SCRIPT}`, NGINX_TEXT);
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
