// The process behind startCluster() of mod.ts: a cluster without any app, in a folder of its own,
// which does what it is asked on standard input and ends with it. So whoever started it may crash.

import { Failure } from "../../core/errors.ts";
import type { AppView, LogView, NodeView } from "../../core/view.ts";
import { type Cluster, launchCluster, until } from "../cluster/cluster.ts";
import { splitLines } from "../conductor.ts";
import { appsOfText } from "../manifests.ts";
import { showAddress } from "../../core/address.ts";
import { claimPorts } from "./ports.ts";
import type { ReadyLine, Reply, Request } from "./requests.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

async function run(nodes: number, workdir: string): Promise<number> {
  const state = await Deno.realPath(await Deno.makeTempDir({ prefix: "skr8tr-test-" }));
  const stop = new AbortController();
  const requests = readRequests(() => stop.abort());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  try {
    using claimed = claimPorts(nodes);
    const cluster = await launchCluster(
      { root: ROOT, state, workdir, apps: [], ...claimed },
      { say: (line) => console.error(line) },
      stop.signal,
    );
    try {
      print(readyLine(cluster, state));
      requests.serve((request) => answer(cluster, request, workdir));
      await Promise.race([cluster.failed, aborted(stop.signal)]);
    } finally {
      await cluster.stop();
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    print({ ready: false, error: error.message });
    return 1;
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

function readyLine({ layout, secretKey }: Cluster, state: string): ReadyLine {
  return {
    ready: true,
    url: `http://${showAddress(layout.ingress)}`,
    tower: `http://${showAddress(layout.tower)}`,
    conductor: showAddress(layout.conductor),
    nodes: layout.nodes.map(({ name }) => name),
    key: secretKey,
    state,
  };
}

async function answer(cluster: Cluster, request: Request, workdir: string): Promise<Reply> {
  const { id } = request;
  try {
    return { id, ok: true, value: await act(cluster, request, workdir) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { id, ok: false, code: error.code, error: error.message };
  }
}

async function act(cluster: Cluster, request: Request, workdir: string): Promise<unknown> {
  const { conductor } = cluster;
  switch (request.do) {
    case "up": {
      const specs = appsOfText(request.manifest, "the manifest");
      return await cluster.up(specs, new Map(specs.map(({ name }) => [name, workdir])));
    }
    case "replicas": {
      const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(request.app)}`);
      return view.replicas;
    }
    case "logs": {
      const path = `/api/logs/${encodeURIComponent(request.app)}?lines=${request.lines}`;
      return await Array.fromAsync(conductor.lines<LogView>(path));
    }
    case "kill":
      return await cluster.kill(request.node);
    case "start":
      return await startNode(cluster, request.node);
    default:
      return request satisfies never;
  }
}

/** Starts a node that was killed; resolves when the conductor has heard it since. */
async function startNode(cluster: Cluster, name: string): Promise<void> {
  const begunMs = performance.now();
  cluster.start(name);
  await until(`${name} is back`, async () => {
    const { nodes } = await cluster.conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
    const node = nodes.find((each) => each.name === name);
    // Shortly after a kill it still counts as ready.
    return node?.state === "ready" && node.silentMs < performance.now() - begunMs;
  });
}

/** Reads requests from the start on; they are kept until somebody serves them. */
function readRequests(onEnd: () => void) {
  const serving = Promise.withResolvers<(request: Request) => Promise<Reply>>();
  const read = async () => {
    const text = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
    for await (const line of splitLines(text)) {
      const serve = await serving.promise;
      // Side by side: a kill is not to wait for an `up` that needs it.
      serve(JSON.parse(line)).then(print);
    }
  };
  read().finally(onEnd);
  return { serve: serving.resolve };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

function print(line: ReadyLine | Reply): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    // Nobody hears it any more; standard input ends as well.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

if (import.meta.main) {
  const [nodes = "1", workdir = Deno.cwd()] = Deno.args;
  Deno.exit(await run(Number(nodes), workdir));
}
