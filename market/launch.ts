import { expand } from "../core/manifest/expand.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";

// Starts the market's programs without a cluster, as `deno task market` and the tests need it. Which
// permissions a program gets stands in its manifest and nowhere else.

/** The nine, in an order in which each finds what it needs at once. */
export const SERVICES = [
  "product-svc",
  "user-svc",
  "inventory-svc",
  "search-svc",
  "cart-svc",
  "recommendation-svc",
  "order-svc",
  "review-svc",
  "frontend-svc",
] as const;
export type ServiceName = typeof SERVICES[number];

/** The five but the edge gateway, which is the cluster's ingress; in such an order, too. */
export const FIVE = ["telemetry-sink", "identity-provider", "async-worker", "core-api"] as const;

/** The programs of each shape of the market. */
export const SHAPES = { nine: SERVICES, five: FIVE } as const;
export type Shape = keyof typeof SHAPES;
export type ProgramName = typeof SHAPES[Shape][number];

/** In which program of a shape a service's module runs. */
export function programOf(shape: Shape, service: ServiceName): ProgramName {
  if (shape === "nine") return service;
  return service === "user-svc" ? "identity-provider" : "core-api";
}

/** A program's manifest, below the project's root. */
export function manifestPath(program: ProgramName): string {
  const folder = FIVE.some((each) => each === program)
    ? "market/manifests/five"
    : "market/manifests";
  return `${folder}/${program}.skr8tr`;
}

export const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

/** What a program begins with, below the project's root. */
export function programPath(program: ProgramName): string {
  const folder = FIVE.some((each) => each === program) ? "market/five" : "market/services";
  return `${folder}/${program}/main.ts`;
}

/** The manifest of one program, parsed. */
export function manifestOf(program: ProgramName): AppSpec {
  const file = `${ROOT}${manifestPath(program)}`;
  const parsed = parseManifest(Deno.readTextFileSync(file), file);
  if (!parsed.ok) {
    throw new Error(`${file}: ${parsed.errors.map((each) => each.message).join("\n")}`);
  }
  const [app] = parsed.apps;
  if (!app) throw new Error(`${file}: no app`);
  return app;
}

export interface LaunchOptions {
  readonly host: string;
  /** 0: any free one; `url()` tells which. */
  readonly port: number;
  readonly replica: string;
  /** What the program gets besides what a node would give it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes the program's lines. */
  readonly line?: (line: string) => void;
}

/** A running program. */
export interface Running {
  readonly service: ProgramName;
  readonly pid: number;
  /** Where it listens, once it does; rejects when it ends before. */
  url(): Promise<string>;
  kill(signal: Deno.Signal): void;
  readonly status: Promise<Deno.CommandStatus>;
}

/** Starts a program exactly as its manifest says, its permission flags included. */
export function launch(service: ProgramName, options: LaunchOptions): Running {
  const spec = manifestOf(service);
  const { exec, args } = expand(spec, { IP: options.host, PORT: String(options.port) });
  const deno = Deno.execPath();
  const child = new Deno.Command(exec === "deno" ? deno : exec!, {
    args: [...args],
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...keep("HOME", "DENO_DIR", "NO_COLOR"),
      PATH: `${deno.slice(0, deno.lastIndexOf("/"))}:/usr/bin:/bin`,
      APP: service,
      NODE: "local",
      REPLICA: options.replica,
      HOST: options.host,
      PORT: String(options.port),
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<string>();
  listening.promise.catch(() => {});
  const tail: string[] = [];
  const take = (line: string) => {
    options.line?.(line);
    tail.push(line);
    if (tail.length > 20) tail.shift();
    if (!line.startsWith("{") || !line.includes('"event":"listening"')) return;
    const { hostname, port } = JSON.parse(line);
    listening.resolve(`http://${hostname}:${port}`);
  };
  const read = Promise.all([eachLine(child.stdout, take), eachLine(child.stderr, take)]);
  const status = child.status.then(async (ended) => {
    await read;
    listening.reject(new Error(`${service} ended with ${ended.code}:\n${tail.join("\n")}`));
    return ended;
  });
  return {
    service,
    pid: child.pid,
    url: () => listening.promise,
    kill: (signal) => child.kill(signal),
    status,
  };
}

function keep(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(take);
  }
  if (rest) take(rest);
}
