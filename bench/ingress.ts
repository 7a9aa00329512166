// `deno run -A bench/ingress.ts`: requests a second and latency through one ingress worker with all
// features on, against nginx with one worker and HAProxy with one thread doing the same, over two
// backends, 32 kept-alive connections, in turn. Needs nginx, wrk and (for its column) haproxy.

const DURATION_S = Number(Deno.env.get("BENCH_SECONDS") ?? 4);
const ROUNDS = Number(Deno.env.get("BENCH_ROUNDS") ?? 10);
const CONNECTIONS = 32;
export const HOST = "127.0.0.1";

/** One measurement. */
export interface Sample {
  readonly subject: "ingress" | "nginx" | "haproxy";
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Responses other than 2xx, and socket errors. */
  readonly failed: number;
}

/** A whole run. */
export interface Result {
  readonly name: "ingress";
  readonly samples: readonly Sample[];
  readonly rows: readonly string[][];
  /** Median of the ingress over median of nginx, of requests a second and of p99. */
  readonly ratio: number;
  readonly p99Ratio: number;
  /** Resident memory that 5,000 idle connections add, in bytes. */
  readonly idleBytes: number;
}

interface Program {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function findProgram(name: string): Promise<string | null> {
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", `PATH=$PATH:/usr/sbin command -v ${name}`],
  }).output();
  return code === 0 ? new TextDecoder().decode(stdout).trim() : null;
}

export function freePort(): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

async function waitForPort(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    try {
      (await Deno.connect({ hostname: HOST, port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`nothing listens on port ${port}`);
}

export async function spawn(
  program: string,
  args: readonly string[],
  port: number,
): Promise<Program> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await waitForPort(port);
  return {
    port,
    pid: child.pid,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** nginx as a backend: it answers faster than any proxy asks. */
function backendConfig(folder: string, ports: readonly number[]): string {
  const servers = ports.map((port) => `
    server { listen ${HOST}:${port}; location / { return 200 "hello from ${port}, a small page\\n"; } }`);
  return `worker_processes 1; daemon off; pid ${folder}/backend.pid; error_log /dev/null;
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; ${
    servers.join("")
  } }`;
}

/** Starts nginx as so many backends. */
export async function startBackends(
  count: number,
): Promise<{ readonly ports: readonly number[] } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "bench-ingress-" });
  const ports = Array.from({ length: count }, freePort);
  await Deno.writeTextFile(`${folder}/backend.conf`, backendConfig(folder, ports));
  const nginx = await spawn(
    (await findProgram("nginx"))!,
    ["-c", `${folder}/backend.conf`],
    ports[0]!,
  );
  return {
    ports,
    async [Symbol.asyncDispose]() {
      await nginx.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function nginxConfig(folder: string, port: number, backends: readonly number[]): string {
  const servers = backends.map((each) => `server ${HOST}:${each};`).join(" ");
  return `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log /dev/null;
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
      upstream app { least_conn; ${servers} keepalive 64; keepalive_requests 1000000000; }
      server {
        listen ${HOST}:${port};
        location / { return 404; }
        location /other/ { return 404; }
        location /api/ {
          proxy_pass http://app; proxy_http_version 1.1;
          proxy_set_header Connection ""; proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Real-IP $remote_addr;
          proxy_set_header X-Forwarded-Proto $scheme;
          proxy_set_header X-Forwarded-Host $host;
          proxy_set_header X-Request-Id $request_id;
          proxy_set_header Via "1.1 nginx";
          add_header X-Request-Id $request_id;
        }
      }
    }`;
}

function haproxyConfig(port: number, backends: readonly number[]): string {
  const servers = backends.map((each, at) => `  server s${at} ${HOST}:${each}`).join("\n");
  return `global
  nbthread 1
defaults
  mode http
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind ${HOST}:${port}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Real-IP %[src]
  unique-id-format %{+X}o%ci%cp%Ts%rt%pid
  unique-id-header X-Request-Id
  use_backend app if { path_beg /api/ }
backend app
  balance leastconn
${servers}
`;
}

async function measure(subject: Sample["subject"], port: number): Promise<Sample> {
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      "-t1",
      `-c${CONNECTIONS}`,
      `-d${DURATION_S}s`,
      "--latency",
      `http://${HOST}:${port}/api/a`,
    ],
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const latency = (percent: string) => {
    const [, value, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text)!;
    return Number(value) * (unit === "us" ? 0.001 : unit === "ms" ? 1 : 1000);
  };
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    subject,
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)![1]),
    p50Ms: latency("50"),
    p99Ms: latency("99"),
    failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0) +
      (errors?.slice(1).reduce((sum, each) => sum + Number(each), 0) ?? 0),
  };
}

export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

/** Processor time that a process has used, in seconds. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // Fields 14 and 15, counted behind the command in parentheses, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** How much memory the ingress takes for 5,000 connections that have each carried a request. */
async function measureIdle(ingress: Program): Promise<number> {
  const before = await residentBytes(ingress.pid);
  const connections: Deno.Conn[] = [];
  const request = new TextEncoder().encode("GET /api/a HTTP/1.1\r\nHost: a.test\r\n\r\n");
  const buffer = new Uint8Array(4096);
  try {
    for (let count = 0; count < 5_000; count++) {
      const connection = await Deno.connect({ hostname: HOST, port: ingress.port });
      connections.push(connection);
      await connection.write(request);
      await connection.read(buffer);
    }
    return await residentBytes(ingress.pid) - before;
  } finally {
    for (const each of connections) each.close();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function row(subject: string, samples: readonly Sample[], nginx: readonly Sample[]): string[] {
  const rates = samples.map((each) => each.requestsPerSecond);
  const p99s = samples.map((each) => each.p99Ms);
  const nginxRate = median(nginx.map((each) => each.requestsPerSecond));
  const nginxP99 = median(nginx.map((each) => each.p99Ms));
  return [
    subject,
    median(rates).toFixed(0),
    `${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}`,
    median(samples.map((each) => each.p50Ms)).toFixed(2),
    median(p99s).toFixed(2),
    (median(rates) / nginxRate).toFixed(2),
    (median(p99s) / nginxP99).toFixed(2),
    String(samples.reduce((sum, each) => sum + each.failed, 0)),
  ];
}

/** Runs the benchmark. @throws where nginx or wrk is not installed. */
export async function bench(): Promise<Result> {
  const nginx = await findProgram("nginx");
  const haproxy = await findProgram("haproxy");
  if (nginx === null || await findProgram("wrk") === null) {
    throw new Error("bench ingress: needs nginx and wrk (apt-get install nginx-light wrk)");
  }
  const folder = await Deno.makeTempDir({ prefix: "bench-ingress-" });
  const backends = [freePort(), freePort()];
  const ports = { ingress: freePort(), nginx: freePort(), haproxy: freePort() };
  const running: Program[] = [];
  const start = async (program: string, args: readonly string[], port: number) => {
    const each = await spawn(program, args, port);
    running.push(each);
    return each;
  };
  try {
    await Deno.writeTextFile(`${folder}/backend.conf`, backendConfig(folder, backends));
    await Deno.writeTextFile(`${folder}/nginx.conf`, nginxConfig(folder, ports.nginx, backends));
    await Deno.writeTextFile(`${folder}/haproxy.conf`, haproxyConfig(ports.haproxy, backends));
    await start(nginx, ["-c", `${folder}/backend.conf`], backends[1]!);
    await start(nginx, ["-c", `${folder}/nginx.conf`], ports.nginx);
    if (haproxy !== null) await start(haproxy, ["-f", `${folder}/haproxy.conf`], ports.haproxy);
    const main = new URL("../ingress/main.ts", import.meta.url).pathname;
    const ingress = await start(Deno.execPath(), [
      ...["run", "--allow-net", main, "--tower", "none", "--admin", "0"],
      ...["--http", String(ports.ingress), "--route", "/other:other", "--route", "/api:app"],
      ...backends.flatMap((each) => ["--upstream", `app=${HOST}:${each}`]),
    ], ports.ingress);

    const subjects: Sample["subject"][] = ["nginx", "ingress"];
    if (haproxy !== null) subjects.push("haproxy");
    await measure("ingress", ports.ingress);
    const samples: Sample[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // In turn, and the turn turned round, so that none always follows the same.
      for (const each of round % 2 === 0 ? subjects : subjects.toReversed()) {
        samples.push(await measure(each, ports[each]));
      }
    }
    const idleBytes = await measureIdle(ingress);
    const of = (subject: string) => samples.filter((each) => each.subject === subject);
    const rows = subjects.map((each) => row(each, of(each), of("nginx")));
    if (haproxy === null) rows.push(["haproxy", "not installed"]);
    const [ours] = rows.filter(([subject]) => subject === "ingress");
    return {
      name: "ingress",
      samples,
      rows,
      ratio: Number(ours![5]),
      p99Ratio: Number(ours![6]),
      idleBytes,
    };
  } finally {
    for (const each of running.reverse()) await each.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Requests for each second of processor time, with one worker and with two. */
export interface CoresResult {
  readonly name: "ingress-cores";
  readonly samples: readonly { readonly workers: number; readonly requestsPerCpuSecond: number }[];
  /** Median with two workers over median with one. */
  readonly ratio: number;
}

/** Runs the benchmark `ingress-cores`. @throws where nginx or wrk is not installed. */
export async function benchCores(): Promise<CoresResult> {
  const nginx = await findProgram("nginx");
  if (nginx === null || await findProgram("wrk") === null) {
    throw new Error("bench ingress-cores: needs nginx and wrk (apt-get install nginx-light wrk)");
  }
  const folder = await Deno.makeTempDir({ prefix: "bench-ingress-" });
  const backends = [freePort(), freePort()];
  const root = new URL("../", import.meta.url).pathname;
  await Deno.writeTextFile(`${folder}/backend.conf`, backendConfig(folder, backends));
  const running = [await spawn(nginx, ["-c", `${folder}/backend.conf`], backends[1]!)];
  try {
    const ingresses = new Map<number, Program>();
    for (const workers of [1, 2]) {
      const port = freePort();
      const program = await spawn(Deno.execPath(), [
        ...["run", "--allow-net", `--allow-read=${root}ingress,${root}core`],
        ...[`${root}ingress/main.ts`, "--tower", "none", "--admin", "0", "--http", String(port)],
        ...["--workers", String(workers), "--route", "/api:app"],
        ...backends.flatMap((each) => ["--upstream", `app=${HOST}:${each}`]),
      ], port);
      running.push(program);
      ingresses.set(workers, program);
      await measure("ingress", port);
    }
    const samples: { workers: number; requestsPerCpuSecond: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [workers, { port, pid }] of ingresses) {
        const before = await cpuSeconds(pid);
        const { requestsPerSecond } = await measure("ingress", port);
        const used = await cpuSeconds(pid) - before;
        samples.push({ workers, requestsPerCpuSecond: requestsPerSecond * DURATION_S / used });
      }
    }
    const medianOf = (workers: number) =>
      median(
        samples.filter((each) => each.workers === workers).map((each) => each.requestsPerCpuSecond),
      );
    return { name: "ingress-cores", samples, ratio: medianOf(2) / medianOf(1) };
  } finally {
    for (const each of running.reverse()) await each.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The result of `benchCores` for people. */
export function coresTable({ samples, ratio }: CoresResult): string {
  const line = (workers: number) => {
    const rates = samples.filter((each) => each.workers === workers)
      .map((each) => each.requestsPerCpuSecond);
    const range = `${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}`;
    return `${workers} workers: ${median(rates).toFixed(0)} requests/CPU-second (${range})`;
  };
  return `${line(1)}\n${line(2)}\nratio ${ratio.toFixed(2)}`;
}

const HEADINGS = ["", "requests/s", "min to max", "p50 ms", "p99 ms", "of nginx", "p99", "failed"];

/** The result as a table for people. */
export function table(result: Result): string {
  const rows = [HEADINGS, ...result.rows];
  const widths = HEADINGS.map((_, at) => Math.max(...rows.map((each) => each[at]?.length ?? 0)));
  const lines = rows.map((each) => each.map((cell, at) => cell.padStart(widths[at]!)).join("  "));
  const idle = (result.idleBytes / 1024 / 1024).toFixed(1);
  return `${lines.join("\n")}\n5,000 idle connections take ${idle} MiB more`;
}

if (import.meta.main) {
  if (Deno.args.includes("cores")) console.log(coresTable(await benchCores()));
  else console.log(table(await bench()));
}
