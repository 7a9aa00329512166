// For tests of streams: a sealed cluster with one app that echoes, and the CLI as a process.

import { assert } from "@std/assert";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { type ClusterProcess, type ReadyLine, startClusterTask } from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

/**
 * Listens at its port and gives back what it is sent, after the sender has ended; at the port beside it,
 * which no manifest names, it says `aside`.
 */
const ECHO = `
const hostname = Deno.env.get("HOST")!;
const port = Number(Deno.env.get("PORT"));
const aside = Deno.listen({ hostname: "127.0.0.1", port: 0 });
Deno.writeTextFileSync("aside.port", String(aside.addr.port));
(async () => {
  for await (const connection of aside) {
    await connection.write(new TextEncoder().encode("aside"));
    connection.close();
  }
})();
for await (const connection of Deno.listen({ hostname, port })) {
  (async () => {
    const chunks: Uint8Array[] = [];
    const buffer = new Uint8Array(65_536);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      chunks.push(buffer.slice(0, count));
    }
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += await connection.write(chunk.subarray(at));
    }
    connection.close();
  })().catch(() => {});
}
`;

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly err: string;
}

export class StreamCluster implements AsyncDisposable {
  private constructor(
    readonly cluster: ClusterProcess,
    readonly line: ReadyLine,
    /** Where the app runs; the CLI, too. */
    readonly folder: string,
  ) {}

  /** Starts the cluster with the app `echo`, which has a volume `kept`, running in `folder`. */
  static async start(): Promise<StreamCluster> {
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-streams-" });
    const cluster = await startClusterTask();
    const line = await cluster.ready();
    assert(line.ready, line.error);
    const all = new StreamCluster(cluster, line, folder);
    await Deno.writeTextFile(`${folder}/echo.ts`, ECHO);
    await Deno.mkdir(`${folder}/cwd`);
    const manifest = `app echo
  exec deno
  args run --quiet --no-config -A ${folder}/echo.ts
  cwd  ${folder}/cwd
  port 9300
  restart always

  volume {
    path kept
    env  KEPT
  }
`;
    await Deno.writeTextFile(`${folder}/echo.skr8tr`, manifest);
    const { code, err } = await all.skr8tr("up", "--wait", "echo.skr8tr");
    assert(code === 0, err);
    return all;
  }

  /** The words of a CLI that talks to this cluster. */
  words(...words: string[]): string[] {
    const key = words.includes("--key") ? [] : ["--key", `${this.cluster.state}/signing.sec`];
    return [
      ...["run", "-A", "--quiet", `--config=${ROOT}/deno.json`, `${ROOT}/cli/main.ts`],
      ...["--conductor", this.line.conductor, ...key, ...words],
    ];
  }

  spawn(words: readonly string[], options: Partial<Deno.CommandOptions> = {}): Deno.ChildProcess {
    return new Deno.Command(Deno.execPath(), {
      args: this.words(...words),
      cwd: this.folder,
      env: { HOME: this.folder, DENO_DIR: denoFolder(), NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
  }

  async skr8tr(...words: string[]): Promise<Said> {
    return await said(this.spawn(words));
  }

  /** The same as another operator. */
  async as(key: string, ...words: string[]): Promise<Said> {
    return await said(this.spawn([...words, "--key", key]));
  }

  /** The same with something on standard input. */
  async given(input: Uint8Array | string, ...words: string[]): Promise<Said> {
    const child = this.spawn(words, { stdin: "piped" });
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeTo(child.stdin).catch(() => {});
    return await said(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What a process printed, when it has ended. */
export async function said(child: Deno.ChildProcess): Promise<Said> {
  const [{ code }, bytes, errors] = await Promise.all([
    child.status,
    new Response(child.stdout).bytes() as Promise<Uint8Array<ArrayBuffer>>,
    new Response(child.stderr).text(),
  ]);
  return { code, bytes, out: new TextDecoder().decode(bytes), err: errors };
}
