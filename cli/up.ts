// `skr8tr up`, once its modules are there; commands/up.ts begins it.

import { Failure } from "../core/errors.ts";
import { unbuiltKeys } from "../core/manifest/unbuilt.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { type Context, DONE, FAILED } from "./command.ts";
import { conductorAt } from "./conductor.ts";
import { deploy, type Outcome, planOf } from "./deploy.ts";
import { keyPathOf, type Signer } from "./keys.ts";
import { appsWithFolders } from "./manifests.ts";
import { harmless, type Output } from "./output.ts";
import { progress, took } from "./render/progress.ts";
import { planLines } from "./render/views.ts";
import { uploadProgress } from "./render/upload.ts";
import { hashedIfThere, loneLine, ship } from "./ship.ts";
import { targetOf } from "./target.ts";

/** A reply takes no longer than this even where `--timeout` allows the deploy more, ms. */
const REPLY_MS = 5_000;

/**
 * Deploys the apps of manifests, or with `--dry-run` prints the plan.
 *
 * @param signer absent for a dry run, which needs none.
 */
export async function up(
  { arguments: args, output }: Context,
  signer: Promise<Signer> | null,
  wait = args.has("wait"),
): Promise<number> {
  const target = targetOf(args);
  const json = args.has("json");
  const { specs: written, folders } = await appsWithFolders(args.positional);
  if (written.length === 0) throw new Failure("usage", "there is no app in these files");
  const replyMs = Math.min(target.timeoutMs, REPLY_MS);
  const conductor = conductorAt(target.conductor, replyMs);
  if (signer === null) {
    sayUnbuilt(written, output);
    // What is not built is not there yet: the plan is made of what is.
    const specs = await Promise.all(written.map((spec) => hashedIfThere(spec, folders)));
    const apps = await planOf(conductor, specs);
    if (json) output.print(JSON.stringify({ apps }));
    else apps.flatMap((app) => planLines(app, output.paint)).forEach((line) => output.print(line));
    return apps.some(({ refused }) => refused !== undefined) ? FAILED : DONE;
  }
  const ready = await signer;
  sayUnbuilt(written, output);
  const keyPath = keyPathOf(args);
  const bars = json ? null : uploadProgress(output);
  const specs = await ship(written, folders, {
    conductor,
    signer: ready,
    keyPath,
    timeoutMs: replyMs,
    onSent: (...sent) => bars?.sent(...sent),
    onLone: (app, why) => output.note(loneLine(app, why)),
  }).finally(() => bars?.end());
  const shown = wait && !json ? progress(output) : null;
  const outcomes = await deploy({
    specs,
    conductor,
    signer: ready,
    keyPath,
    timeoutMs: replyMs,
    ...(wait ? { waitMs: args.durationMs("timeout", longestRollout(specs)) } : {}),
    onPlan: (plan) => {
      // What would be refused is sent all the same: the conductor says so, and keeps that.
      if (json || plan.unchanged || plan.refused !== undefined) return;
      planLines(plan, output.notePaint).forEach((line) => output.note(line));
    },
    onView: (view) => shown?.update(view),
  });
  shown?.end();
  if (json) output.print(JSON.stringify({ apps: outcomes }));
  else outcomes.forEach((outcome) => sayOutcome(outcome, output));
  return outcomes.some((outcome) => outcome.result === "failed") ? FAILED : DONE;
}

/**
 * How long a deploy may take if nobody says otherwise: as long as its slowest rollout, each of whose
 * steps may take its timeout. The conductor knows sooner what becomes of it.
 */
export function longestRollout(specs: readonly AppSpec[]): number {
  return Math.max(...specs.map(({ rollout, replicas, before }) => {
    const steps = 1 + Math.ceil(replicas / rollout.batch);
    return (before?.timeoutMs ?? 0) + (rollout.canary?.durationMs ?? 0) +
      steps * (rollout.timeoutMs + rollout.settleMs);
  }));
}

function sayUnbuilt(specs: readonly AppSpec[], output: Output): void {
  for (const spec of specs) {
    for (const key of unbuiltKeys(spec)) {
      output.note(`${output.notePaint.warn("note:")} ${spec.name}: ${key} is not acted on yet`);
    }
  }
}

/** Prints what became of an app. */
export function sayOutcome(outcome: Outcome, output: Output): void {
  const { app, generation, result } = outcome;
  const { paint } = output;
  switch (result) {
    case "unchanged":
      return output.print(`${app} unchanged (generation ${generation})`);
    case "applied":
      return output.print(`${app} generation ${generation} accepted`);
    case "ready":
      return output.print(
        `${app} generation ${generation} ${paint.good("ready")} ${took(outcome.ms)}`,
      );
    case "failed": {
      const where = outcome.replica ? `: ${outcome.replica} on ${outcome.node}` : "";
      const how = outcome.late ? "not in place yet" : "failed";
      output.print(
        `${app} generation ${generation} ${paint.bad(how)}${where}: ` +
          harmless(outcome.reason ?? ""),
      );
      outcome.lines?.forEach((line) => output.print(`  | ${harmless(line)}`));
      if (outcome.late) output.print(`  it goes on: skr8tr status ${app}`);
      return;
    }
    default:
      return result satisfies never;
  }
}
