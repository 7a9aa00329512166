// `deno task cluster`: a whole cluster on this machine, until Ctrl-C.

import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { exitCodeOf } from "../main.ts";
import { type Output, standardOutput, unheard } from "../output.ts";
import { type Cluster, launchCluster } from "./cluster.ts";
import { clusterHelp, type ClusterOptions, readOptions } from "./options.ts";
import { Screen } from "./screen.ts";
import { watchStarter } from "./starter.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** Aborted, with the reason, when somebody wants the cluster to end. Once is enough. */
function stopRequests(options: ClusterOptions): AbortController {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(signal));
  }
  if (!options.stay) {
    const watch = watchStarter();
    watch.ended.then(() => stop.abort("the program that started this one has ended"));
  }
  return stop;
}

async function run(options: ClusterOptions, output: Output): Promise<number> {
  const stop = stopRequests(options);
  const screen = new Screen(output);
  let cluster: Cluster;
  try {
    cluster = await launchCluster(
      { root: ROOT, ...options },
      { say: (line) => screen.say(line), onView: (view) => screen.view(view) },
      stop.signal,
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (options.json) output.print(JSON.stringify({ ready: false, error: error.message }));
    screen.say(`${output.notePaint.bad("error:")} ${error.message}`);
    return 1;
  }
  const ms = Math.round(performance.now());
  screen.ready(cluster, ms);
  if (options.json) output.print(readyLine(cluster, ms));
  const failure = await stay(cluster, screen, stop);
  screen.say(`stopping: ${failure?.message ?? stop.signal.reason}`);
  await cluster.stop();
  screen.say("stopped, nothing is left running");
  return failure ? 1 : 0;
}

/** Resolves when it is time to stop; with the failure if a daemon cannot go on. */
async function stay(
  cluster: Cluster,
  screen: Screen,
  stop: AbortController,
): Promise<Failure | null> {
  const failed = cluster.failed.catch((error: Failure) => {
    stop.abort(error.message);
    return error;
  });
  const live = screen.live(cluster.conductor, stop.signal);
  const asked = new Promise<null>((resolve) => {
    if (stop.signal.aborted) resolve(null);
    stop.signal.addEventListener("abort", () => resolve(null));
  });
  const failure = await Promise.race([failed, asked]);
  await live;
  return failure;
}

function readyLine({ layout }: Cluster, ms: number): string {
  return JSON.stringify({
    ready: true,
    ms,
    ingress: `http://${showAddress(layout.ingress)}`,
    conductor: showAddress(layout.conductor),
    tower: showAddress(layout.tower),
  });
}

if (import.meta.main) {
  const json = Deno.args.includes("--json");
  // A cluster goes on when its output is closed: deno task cluster | head -1
  const output = unheard(
    standardOutput(Deno.args.includes("--no-color"), json ? Deno.stderr : Deno.stdout),
  );
  try {
    const options = readOptions(Deno.args, ROOT);
    if (options === null) output.print(clusterHelp());
    Deno.exit(options === null ? 0 : await run(options, output));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    output.note(`${output.notePaint.bad("error:")} ${error.message}`);
    Deno.exit(exitCodeOf(error));
  }
}
