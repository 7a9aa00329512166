// Deploying again what was deployed before: `rollback --to N` and `rollout undo`.
//
// Both sign a new command with the old manifest, which the conductor hands out. An operator must not
// sign what somebody else made up: so the manifest has to stand in a command that was signed before,
// by this operator's own key or one that is given by --pubkey.

import { parseOperatorCommand } from "../core/command.ts";
import { Failure } from "../core/errors.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { AppView, HistoryView, SignedGenerationView } from "../core/view.ts";
import { type Context, DONE, FAILED } from "./command.ts";
import { type Conductor, conductorAt } from "./conductor.ts";
import { deploy } from "./deploy.ts";
import { keyPathOf, openSigner } from "./keys.ts";
import { progress } from "./render/progress.ts";
import { planLines } from "./render/views.ts";
import { targetOf } from "./target.ts";
import { longestRollout, sayOutcome } from "./up.ts";

/** Deploys generation `to` of the app again; absent: the last good one before what is wanted now. */
export async function redeploy(
  { arguments: args, output }: Context,
  app: string,
  to?: number,
): Promise<number> {
  const target = targetOf(args);
  const replyMs = Math.min(target.timeoutMs, 5_000);
  const conductor = conductorAt(target.conductor, replyMs);
  const keyPath = keyPathOf(args);
  const generation = to ?? await undone(conductor, app);
  const spec = await signedSpec(conductor, app, generation, keyPath, args.value("pubkey"));
  const json = args.has("json");
  if (!json) output.note(`${app}: the manifest of generation ${generation} is deployed again`);
  const shown = json ? null : progress(output);
  const outcomes = await deploy({
    specs: [spec],
    conductor,
    signer: await openSigner(keyPath),
    keyPath,
    timeoutMs: replyMs,
    waitMs: args.durationMs("timeout", longestRollout([spec])),
    onPlan: (plan) => {
      if (json || plan.unchanged) return;
      planLines(plan, output.notePaint).forEach((line) => output.note(line));
    },
    onView: (view) => shown?.update(view),
  });
  shown?.end();
  if (json) output.print(JSON.stringify({ apps: outcomes }));
  else outcomes.forEach((outcome) => sayOutcome(outcome, output));
  return outcomes.some((outcome) => outcome.result === "failed") ? FAILED : DONE;
}

/** What was good before what is wanted now. */
async function undone(conductor: Conductor, app: string): Promise<number> {
  const view = await conductor.get<AppView>(`/api/apps/${app}`);
  const { rollout } = view;
  const isOpen = rollout?.kind === "deploy" && rollout.phase !== "done";
  if (isOpen && rollout.from !== undefined) return rollout.from;
  const { generations } = await conductor.get<HistoryView>(`/api/apps/${app}/history`);
  const before = generations.find((each) =>
    each.generation < view.generation && each.outcome?.result === "done"
  );
  if (before) return before.generation;
  throw new Failure("refused", `${app} has no good generation before ${view.generation}`);
}

/** The manifest of a generation, as an operator that we know has signed it. */
async function signedSpec(
  conductor: Conductor,
  app: string,
  generation: number,
  keyPath: string,
  publicKeyPath: string | undefined,
): Promise<AppSpec> {
  const path = `/api/apps/${app}/generations/${generation}`;
  const { manifest, record, signedBy } = await conductor.get<SignedGenerationView>(path);
  const what = `generation ${generation} of ${app}`;
  if (!record) throw new Failure("refused", `the log holds the signature of ${what} no more`);
  const { publicKeyOf, verify } = await import("../core/sign.ts");
  const keys = [
    ...(publicKeyPath === undefined ? [] : [await Deno.readFile(publicKeyPath)]),
    publicKeyOf(await Deno.readFile(keyPath)),
  ];
  if (!keys.some((key) => verify(key, record.text, record.signatureHex))) {
    throw new Failure(
      "refused",
      `${what} was signed by ${signedBy.slice(0, 16)}, whose key is not yours: give its public ` +
        "key with --pubkey FILE, or deploy the manifest's file again",
    );
  }
  const command = parseOperatorCommand(record.text.slice(0, record.text.lastIndexOf("|")));
  const isIt = "verb" in command && command.verb === "APPLY" && command.app === app &&
    command.generation === generation && command.manifest === manifest;
  const parsed = parseManifest(manifest);
  const spec = parsed.ok ? parsed.apps[0] : undefined;
  if (!isIt || !spec) throw new Failure("refused", `what the conductor tells of ${what} is forged`);
  return spec;
}
