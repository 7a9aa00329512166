/**
 * Folds the log into the state. Applying the same entries in the same order gives the same state on
 * every machine.
 */

import { type OperatorCommand, parseOperatorCommand } from "../core/command.ts";
import { genesisOf, linkOf } from "../core/chain.ts";
import { invariant } from "../core/errors.ts";
import { GENERATIONS } from "../core/limits.ts";
import { type Entry, logNameOf, type Place, type Relabel, type SignedRecord } from "../core/log.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import { forgetAnswers, remember } from "./answered.ts";
import { applyUpload } from "./artifacts.ts";
import { applyJob, applyRun, applyRunPlace, applyRuns, skipTicks } from "./jobs/job_state.ts";
import { applyNodeVerb } from "./fleet/node_verbs.ts";
import { quotaOf } from "./trust/quota.ts";
import {
  applyTurn,
  beginDeploy,
  beginRestart,
  type Moment,
  noteStep,
  pauseRollout,
  resumeRollout,
  supersede,
} from "./rollouts/rollout_state.ts";
import { applySecret } from "./trust/secrets.ts";
import { currentOf, generationOf, holdsVolume, type State } from "./state.ts";

/** Applies one entry; the names of the apps that it touched come back. */
export function applyEntry(state: State, entry: Entry): string[] {
  invariant(entry.sequence === state.head.sequence + 1, "entries are applied in their order");
  if (entry.sequence === 1) {
    state.log = logNameOf(entry);
    state.chain = { sequence: 0, hash: genesisOf(state.log) };
  }
  const touched = applyBody(state, entry);
  state.head = { sequence: entry.sequence, hash: entry.hash };
  return touched;
}

function applyBody(state: State, entry: Entry): string[] {
  const { body } = entry;
  switch (body.kind) {
    case "command":
      state.chain = chainAfter(state, entry.sequence, body);
      remember(state, body.signed, body.reply, entry.wallMs);
      return applyCommand(state, entry, body.signed, body.manifest);
    case "decision": {
      const touched = new Set<string>();
      for (const { app, run } of body.runs ?? []) {
        const known = state.apps.get(app);
        if (known) applyRuns(known, [run]);
        touched.add(known ? app : "");
      }
      for (const place of body.place) {
        touched.add(applyPlace(state, place, entry.sequence, entry.wallMs));
      }
      for (const replica of body.leave) touched.add(applyLeave(state, replica));
      for (const relabel of body.relabel ?? []) touched.add(applyRelabel(state, relabel));
      touched.delete("");
      for (const app of touched) noteStep(state.apps.get(app)!, momentOf(entry));
      for (const replica of body.gone) touched.add(applyGone(state, replica));
      for (const replica of body.move ?? []) touched.add(applyMove(state, replica));
      for (const app of body.balanced ?? []) state.rebalancing.delete(app);
      for (const { app, count } of body.scale ?? []) touched.add(applyScale(state, app, count));
      touched.delete("");
      return [...touched];
    }
    case "rollout": {
      const app = state.apps.get(body.app);
      if (!app) return [];
      applyTurn(app, body, entry);
      return [app.name];
    }
    case "node":
      state.nodes.set(body.node, body.name);
      return [];
    case "node-key":
      state.nodeKeys.set(body.node, body.publicKey);
      return [];
    case "refused":
      for (const [mark, unixS] of body.marks) {
        state.answered.set(mark, { unixS, reply: body.reply });
      }
      forgetAnswers(state, entry.wallMs);
      return [];
    case "recovered":
      // Which commands had been executed is not all known: none from before is taken again.
      state.forgottenUnixS = Math.floor(entry.wallMs / 1000);
      return [];
    case "lost":
    case "sign-in":
      return [];
    case "adopted": {
      const touched = body.place.map((place) =>
        applyPlace(state, place, entry.sequence, entry.wallMs)
      );
      for (const [name, count] of body.placed) {
        const app = state.apps.get(name);
        if (app) app.placed = Math.max(app.placed, count);
      }
      return touched;
    }
    case "term": {
      const { kind: _, ...term } = body;
      state.term = term;
      return [];
    }
    case "roots":
      for (const [key] of body.roots) state.roots.add(key);
      return [];
    case "join":
      state.members.apply(body);
      return [];
    default:
      return body satisfies never;
  }
}

type CommandBody = Extract<Entry["body"], { kind: "command" }>;

/** The end of the chain of signed commands once this one stands at that sequence. */
export function chainAfter(state: State, sequence: number, body: CommandBody): State["chain"] {
  const { signed, manifest, chain } = body;
  const hash = linkOf(state.chain.hash, { sequence, ...signed, manifest });
  invariant(chain === undefined || chain === hash, `the chain of commands goes on at ${sequence}`);
  return { sequence, hash };
}

function momentOf({ sequence, wallMs }: Entry): Moment {
  return { sequence, wallMs };
}

function applyCommand(
  state: State,
  entry: Entry,
  signed: SignedRecord,
  manifest: string | undefined,
): string[] {
  const command = parseOperatorCommand(signed.text.slice(0, signed.text.lastIndexOf("|")));
  if ("error" in command) return [];
  switch (command.verb) {
    case "APPLY":
      return applyManifest(state, entry, signed, command.manifest, command);
    case "SUBMIT":
    case "ROLLOUT":
      return applyManifest(state, entry, signed, manifest ?? "", {});
    case "DOWN":
    case "EVICT": {
      const app = state.apps.get(command.app);
      if (!app) return [];
      supersede(app, entry.wallMs, "the app was taken down");
      app.down = true;
      delete app.rollout;
      return [app.name];
    }
    case "CORDON":
    case "UNCORDON":
    case "DRAIN":
    case "REBALANCE":
    case "RELEASE":
      return applyNodeVerb(state, command, { key: signed.key, wallMs: entry.wallMs });
    case "STOP":
    case "START":
    case "RESTART":
    case "SCALE":
    case "PAUSE":
    case "RESUME":
      return applyVerb(state, entry, command, signed);
    case "RUN":
      return applyRun(state, command, entry.wallMs);
    case "UPLOAD":
      applyUpload(state, command, entry.wallMs);
      return [];
    case "EXEC":
    case "OPEN":
    case "DECK":
      return [];
    case "FORGET": {
      // A machine that comes back with this id has a key of its own for secrets.
      const node = state.members.forget(
        command.member,
        Number(signed.text.slice(signed.text.lastIndexOf("|") + 1)),
      )?.node;
      if (node !== undefined) state.nodeKeys.delete(node);
      return [];
    }
    case "SUCCEED":
      state.members.succeed(signed);
      return [];
    case "OPERATOR":
    case "GRANT":
    case "UNGRANT":
    case "ROTATE":
    case "REVOKE":
      state.roster.apply(entry.sequence, command);
      return [];
    case "SECRET":
    case "UNSECRET":
      return applySecret(state, entry, command);
    case "QUOTA": {
      const quota = quotaOf(command);
      if (quota) state.quotas.set(command.namespace, quota);
      else state.quotas.delete(command.namespace);
      return [];
    }
    default:
      return command satisfies never;
  }
}

/** What operators tell an app to do without a new manifest. */
function applyVerb(
  state: State,
  entry: Entry,
  command: Extract<
    OperatorCommand,
    { verb: "STOP" | "START" | "RESTART" | "SCALE" | "PAUSE" | "RESUME" }
  >,
  { key }: SignedRecord,
): string[] {
  const app = state.apps.get(command.app);
  if (!app) return [];
  switch (command.verb) {
    case "STOP":
      app.stopped = true;
      break;
    case "START":
      delete app.stopped;
      skipTicks(app, entry.wallMs);
      break;
    case "RESTART":
      beginRestart(app, currentOf(app).generation, momentOf(entry));
      break;
    case "SCALE":
      if (command.count === "-") delete app.count;
      else app.count = Number(command.count);
      break;
    case "PAUSE":
      pauseRollout(app, `operator ${state.roster.nameOf(key) ?? key.slice(0, 12)} paused it`);
      break;
    case "RESUME":
      resumeRollout(app, momentOf(entry));
      break;
    default:
      command satisfies never;
  }
  return [app.name];
}

function applyManifest(
  state: State,
  entry: Entry,
  signed: SignedRecord,
  manifest: string,
  command: Partial<Extract<OperatorCommand, { verb: "APPLY" }>>,
): string[] {
  const parsed = parseManifest(manifest);
  const spec = parsed.ok ? parsed.apps[0] : undefined;
  if (!spec) return [];
  let app = state.apps.get(spec.name);
  if (!app) {
    app = { name: spec.name, down: false, generations: [], placements: new Map(), placed: 0 };
    state.apps.set(spec.name, app);
  }
  const rested = app.down || app.stopped === true;
  // A new generation shows itself, and one that comes back begins as its manifest says.
  if (app.down || app.count === 0) delete app.count;
  const before = app.generations.at(-1);
  const generation = command.generation ?? (before?.generation ?? 0) + 1;
  beginDeploy(app, generation, momentOf(entry));
  // What an operator or the autoscaler set holds until the manifest says another number itself.
  if (before && before.spec.replicas !== spec.replicas && !spec.scale) delete app.count;
  app.down = false;
  delete app.stopped;
  app.generations.push({
    generation,
    sequence: entry.sequence,
    ...(command.fallback === undefined ? {} : { fallback: command.fallback }),
    manifest,
    spec,
    key: signed.key,
    wallMs: entry.wallMs,
  });
  const oldestNeeded = Math.min(
    ...[...app.placements.values()].map((place) => place.generation),
    command.fallback ?? Infinity,
  );
  const excess = app.generations.findIndex((each, at) =>
    at >= app.generations.length - GENERATIONS || each.generation >= oldestNeeded
  );
  app.generations.splice(0, excess);
  applyJob(app, command.id, entry.wallMs, rested);
  return [app.name];
}

function applyPlace(state: State, place: Place, placedSequence: number, wallMs: number): string {
  const app = state.apps.get(place.app);
  invariant(app, `a replica is placed for an app that exists: ${place.app}`);
  app.placements.set(place.replica, { ...place, leaving: false, placedSequence });
  delete app.released;
  app.placed++;
  state.replicas.set(place.replica, place.app);
  const onNode = state.byNode.get(place.node) ?? new Set();
  state.byNode.set(place.node, onNode.add(place.replica));
  const spec = generationOf(app, place.generation)?.spec;
  if (spec && holdsVolume(spec)) app.home ??= place.node;
  if (place.run !== undefined) applyRunPlace(app, place, wallMs);
  return app.name;
}

function applyLeave(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, leaving: true });
  return app.name;
}

function applyMove(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, moving: true });
  return app.name;
}

function applyRelabel(state: State, { replica, generation, sequence }: Relabel): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, generation, sequence });
  const next = generationOf(app, generation);
  // No replica of it is started where one only goes on: then what runs before one was run already.
  const before = generationOf(app, placement.generation);
  if (before?.beforeDone && next && !next.beforeDone) {
    const at = app.generations.indexOf(next);
    app.generations[at] = { ...next, beforeDone: true };
  }
  return app.name;
}

function applyGone(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.delete(replica);
  state.replicas.delete(replica);
  state.byNode.get(placement.node)?.delete(replica);
  return app.name;
}

function applyScale(state: State, name: string, count: number): string {
  const app = state.apps.get(name);
  if (!app) return "";
  app.count = count;
  return name;
}
