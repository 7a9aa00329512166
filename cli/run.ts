// `skr8tr run`: a job, once, now.

import { Failure } from "../core/errors.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { AppView, RunView } from "../core/view.ts";
import { type Context, DONE, FAILED } from "./command.ts";
import { type Conductor, conductorAt } from "./conductor.ts";
import { deploy } from "./deploy.ts";
import { keyPathOf, type Signer } from "./keys.ts";
import { appsWithFolders } from "./manifests.ts";
import { harmless } from "./output.ts";
import { runEnd, runOf } from "./run_end.ts";
import { commandId, parseReply, refusal, sendUntilAnswered } from "./send.ts";
import { loneLine, ship } from "./ship.ts";
import { targetOf } from "./target.ts";

/** A reply takes no longer than this even where `--timeout` allows the run more, ms. */
const REPLY_MS = 5_000;

interface Asking {
  readonly context: Context;
  readonly conductor: Conductor;
  readonly signer: Signer;
  readonly keyPath: string;
  readonly timeoutMs: number;
  /** How long the run is waited for: 0 without `--wait`, infinite without `--timeout`. */
  readonly patienceMs: number;
}

/**
 * Runs a job.
 *
 * @returns 0 where it was started, or with `--wait` has succeeded; else the job's exit code, or 1.
 */
export async function runJob(context: Context, signer: Promise<Signer>): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const timeoutMs = Math.min(target.timeoutMs, REPLY_MS);
  const conductor = conductorAt(target.conductor, timeoutMs);
  const [what] = args.positional;
  const job = what!.endsWith(".skr8tr") ? await jobOf(what!) : null;
  const keyPath = keyPathOf(args);
  const isBounded = args.value("timeout") !== undefined;
  const patienceMs = !args.has("wait") ? 0 : isBounded ? target.timeoutMs : Infinity;
  const asking = { context, conductor, signer: await signer, keyPath, timeoutMs, patienceMs };
  const app = job?.spec.name ?? what!;
  const run = (job && await applied(asking, job)) ?? await started(asking, app);
  const json = args.has("json");
  if (!args.has("wait")) {
    if (json) output.print(JSON.stringify({ app, run }));
    else output.note(`run ${run} of ${app}`);
    return DONE;
  }
  output.note(`run ${run} of ${app}`);
  const end = await followed(asking, app, run);
  if (json) output.print(JSON.stringify({ app, ...end }));
  const { paint } = output;
  if (end.state === "succeeded") {
    output.note(`run ${run} of ${app} ${output.notePaint.good("succeeded")}`);
    return DONE;
  }
  const why = end.reason === undefined ? "" : `: ${harmless(end.reason)}`;
  output.note(`run ${run} of ${app} ${paint.bad(end.state)}${why}`);
  return end.code === undefined || end.code === 0 ? FAILED : end.code;
}

/** The one job of a manifest. */
async function jobOf(path: string) {
  const { specs, folders } = await appsWithFolders([path]);
  const [spec, ...more] = specs;
  if (!spec || more.length > 0) {
    throw new Failure("usage", `${path} holds ${specs.length} apps; run takes one job`);
  }
  if (spec.type !== "job") {
    throw new Failure("usage", `${spec.name} is of type ${spec.type}: skr8tr up starts it`);
  }
  return { spec, folders };
}

/** Deploys it, if it changed; the number of the run that this started by itself. */
async function applied(
  asking: Asking,
  job: { readonly spec: AppSpec; readonly folders: ReadonlyMap<string, string> },
): Promise<number | null> {
  const { conductor } = asking;
  const onLone = (app: string, why: string) => asking.context.output.note(loneLine(app, why));
  const specs = await ship([job.spec], job.folders, { ...asking, onLone });
  const [outcome] = await deploy({ ...asking, ...insistence(asking), specs });
  if (outcome?.result !== "applied") return null;
  return await runOf(conductor, job.spec.name, outcome.generation, asking.patienceMs);
}

/** Starts one run of what is deployed, once, however often that has to be said. */
async function started(asking: Asking, app: string): Promise<number> {
  const { conductor, signer, keyPath, timeoutMs } = asking;
  try {
    // Where nobody answers this, nothing was sent, and nobody has to wonder.
    await conductor.get<AppView>(`/api/apps/${app}`);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "not-found") throw error;
    throw new Failure("not-found", `no job ${app} is up`);
  }
  const command = { verb: "RUN", id: commandId(), app } as const;
  const options = { conductor, signer, timeoutMs, wasHeard: true, ...insistence(asking) };
  const reply = parseReply(await sendUntilAnswered(command, options));
  if (!reply.ok) {
    if (reply.code.startsWith("not found")) throw new Failure("not-found", `no job ${app} is up`);
    throw refusal(reply, keyPath);
  }
  return Number(reply.fields[2]);
}

/** Who waits for the end of a run waits for its beginning, too. */
function insistence({ conductor, context: { output }, patienceMs }: Asking) {
  return {
    patienceMs: Math.max(patienceMs, conductor.patienceMs),
    onLost: (why: Failure) =>
      output.note(
        `no answer says whether the run has begun: ${harmless(why.message)}; asking again`,
      ),
  };
}

/** Prints what a run writes until it has ended. */
async function followed(asking: Asking, app: string, run: number): Promise<RunView> {
  const { conductor, context: { arguments: args, output } } = asking;
  const json = args.has("json");
  return await runEnd({
    conductor,
    app,
    run,
    waitMs: asking.patienceMs,
    onLine(log) {
      const line = output.columns === Infinity ? log.line : harmless(log.line);
      output.print(json ? JSON.stringify(log) : line);
    },
    onNote: (text) => output.note(harmless(text)),
  });
}
