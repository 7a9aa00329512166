// For tests: node daemons as processes of their own, killed and started again over one state folder.

import { FakeCluster, until } from "./fake_cluster.ts";
import { readText } from "./files.ts";
import { SHIM_NAME } from "./shim.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

export class DaemonBench implements AsyncDisposable {
  readonly cluster = new FakeCluster();
  readonly folder = Deno.makeTempDirSync({ prefix: "skr8tr-daemon-" });
  readonly state = `${this.folder}/state`;
  #daemon: Deno.ChildProcess | null = null;
  /** What the daemons wrote to stderr. */
  log = "";

  constructor() {
    this.cluster.writeKey(`${this.folder}/operator.pub`);
  }

  get daemon(): Deno.ChildProcess {
    if (!this.#daemon) throw new Error("no daemon runs");
    return this.#daemon;
  }

  /**
   * Starts a daemon with the permissions that it needs and no others.
   *
   * @param more further flags of the daemon
   * @param program the daemon's program, relative to the project, and Deno's own flags
   * @param tracer what it is started by; it must leave the daemon its own pid
   */
  start(
    more: readonly string[] = [],
    {
      program = "node/main.ts",
      flags = [] as readonly string[],
      tracer = [] as readonly string[],
    } = {},
  ): void {
    const at = (address: Deno.NetAddr | { hostname: string; port: number }) =>
      `${address.hostname}:${address.port}`;
    const { conductor, follow, tower } = this.cluster;
    const [first, ...rest] = [...tracer, Deno.execPath()];
    const child = new Deno.Command(first!, {
      args: [
        ...rest,
        "run",
        "--no-prompt",
        "--no-check",
        "--allow-net=127.0.0.0/8,0.0.0.0",
        `--allow-read=${this.folder},${ROOT}node/live,${ROOT}node/autoscale.ts`,
        `--allow-write=${this.state}`,
        "--allow-run",
        "--allow-env=DENO_DIR,HOME,XDG_CACHE_HOME",
        ...flags,
        `${ROOT}${program}`,
        ...["--port", "0", "--metrics", "off", "--name", "node-1", "--state", this.state],
        ...["--conductor", at(conductor), "--follow", at(follow), "--tower", at(tower)],
        ...["--pubkey", `${this.folder}/operator.pub`, "--workdir", this.folder],
        ...["--ports", "32000-32499", "--mesh", "open"],
        ...more,
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#daemon = child;
    this.#listen(child);
  }

  async #listen(child: Deno.ChildProcess): Promise<void> {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) this.log += text;
  }

  /** Ends the daemon without a chance to say goodbye. */
  async kill(): Promise<void> {
    this.daemon.kill("SIGKILL");
    await this.daemon.status;
  }

  /** Ends the daemon; its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.daemon.kill(signal);
    return (await this.daemon.status).code;
  }

  /**
   * Pids of everything that runs in the name of this bench's replicas, by replica. A launcher is not
   * one of them, but its child is from when its pid is told, which is a moment before its `exec`.
   */
  programs(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^[0-9]+$/.test(name)) continue;
      const text = (file: string) => {
        try {
          return Deno.readTextFileSync(`/proc/${name}/${file}`);
        } catch {
          return "";
        }
      };
      const env = text("environ").split("\0");
      const home = env.find((each) => each.startsWith(`HOME=${this.state}/replicas/`));
      if (!home) continue;
      const replica = home.split("/").at(-2)!;
      if (text("cmdline").includes(SHIM_NAME)) {
        const told = readText(`${this.state}/replicas/${replica}/pid`)?.trim().split(" ")[2];
        if (told !== name) continue;
      }
      found.set(replica, [...found.get(replica) ?? [], Number(name)]);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.kill();
    } catch {
      // It has ended already.
    }
    for (const pid of [...this.programs().values()].flat()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile.
      }
    }
    await this.cluster[Symbol.asyncDispose]();
    // A launcher that is just ending may still write its exit file.
    await until("the folder is removed", () => {
      try {
        Deno.removeSync(this.folder, { recursive: true });
        return true;
      } catch {
        return false;
      }
    });
  }
}
