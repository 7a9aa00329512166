// What the conductor tells of rollouts and generations, and why an app is as it is.

import { sha256Hex } from "../../core/bytes.ts";
import { WHY_EVENTS, WHY_EXITS } from "../../core/limits.ts";
import type {
  AppView,
  EventView,
  FiguresView,
  GenerationView,
  HistoryView,
  RolloutView,
  SignedGenerationView,
  WhyView,
} from "../../core/view.ts";
import type { Comparison, Figures } from "./compare.ts";
import type { Sight } from "../reconcile.ts";
import { type App, currentOf, type Generation, generationOf, isOutdated } from "../state.ts";

/** The app's last rollout; `undefined` where its log knows of none. */
export function rolloutView(
  app: App,
  sights: readonly Sight[],
  comparison: Comparison | null,
): RolloutView | undefined {
  const { rollout } = app;
  if (!rollout) return undefined;
  const replicas = sights.filter(({ placement }) => !placement.part && !placement.leaving);
  const isOld = ({ placement }: Sight) => isOutdated(app, placement);
  const { reason, replica, node, from } = rollout;
  const isCompared = comparison && from !== undefined &&
    comparison.fresh.requests + comparison.old.requests > 0;
  return {
    kind: rollout.kind,
    generation: rollout.generation,
    ...(from === undefined ? {} : { from }),
    phase: phaseOf(app, sights),
    begunWallMs: rollout.begun.wallMs,
    ...(reason === undefined ? {} : { reason }),
    ...(replica === undefined ? {} : { replica }),
    ...(node === undefined ? {} : { node }),
    ready: replicas.filter((sight) => !isOld(sight) && sight.readyForMs > 0).length,
    old: replicas.filter(isOld).length,
    ...canaryView(app),
    ...(isCompared
      ? {
        figures: {
          fresh: figuresView(rollout.generation, comparison.fresh),
          old: figuresView(from, comparison.old),
        },
      }
      : {}),
  };
}

function phaseOf(app: App, sights: readonly Sight[]): RolloutView["phase"] {
  const { phase, canarySince, promoted } = app.rollout!;
  if (phase !== "rolling") return phase;
  if (sights.some(({ placement }) => placement.part && !placement.leaving)) return "before";
  return canarySince && !promoted ? "canary" : "rolling";
}

function canaryView(app: App): Pick<RolloutView, "canary"> {
  const { rollout } = app;
  const canary = generationOf(app, rollout!.generation)?.spec.rollout.canary;
  if (!canary || rollout?.kind !== "deploy" || rollout.from === undefined) return {};
  const { percent, durationMs } = canary;
  const since = rollout.canarySince;
  return { canary: { percent, durationMs, ...(since ? { sinceWallMs: since.wallMs } : {}) } };
}

function figuresView(generation: number, figures: Figures): FiguresView {
  const { requests, errors, p50Ms, p95Ms } = figures;
  return { generation, requests, errors, p50Ms, p95Ms };
}

/** Every generation that is kept, newest first. */
export function historyView(app: App): HistoryView {
  return {
    app: app.name,
    generations: app.generations.map((each) => generationView(app, each)).reverse(),
  };
}

function generationView(app: App, each: Generation): GenerationView {
  return {
    generation: each.generation,
    sequence: each.sequence,
    signedBy: each.key,
    signedWallMs: each.wallMs,
    ...(each.fallback === undefined ? {} : { fallback: each.fallback }),
    digest: sha256Hex(each.manifest),
    current: !app.down && each.generation === currentOf(app).generation,
    ...(each.outcome ? { outcome: each.outcome } : {}),
  };
}

/** One generation with what was signed; `undefined` where it is not kept. */
export function signedGenerationView(
  app: App,
  generation: number,
  record: { readonly text: string; readonly signatureHex: string } | undefined,
): SignedGenerationView | undefined {
  const known = generationOf(app, generation);
  if (!known) return undefined;
  return {
    ...generationView(app, known),
    manifest: known.manifest,
    ...(record ? { record } : {}),
  };
}

/**
 * Why the app is as it is.
 *
 * @param events the app's history, oldest first.
 */
export function whyView(view: AppView, app: App, events: readonly EventView[]): WhyView {
  const { manifest, spec } = currentOf(app);
  const changes = events.filter((event) => event.kind === "command");
  const last = changes.at(-1)?.sequence ?? 0;
  const artifact = spec.artifact?.sha256;
  return {
    app: view,
    digest: sha256Hex(manifest),
    ...(artifact === undefined ? {} : { artifact }),
    exits: events.filter((event) => event.exit !== undefined && event.exit.why !== "stopped")
      .slice(-WHY_EXITS).reverse().map((event) => {
        const change = changes.findLast((each) => each.sequence < event.sequence)?.text;
        return {
          replica: event.replica ?? "",
          node: event.node ?? "",
          ...(event.generation === undefined ? {} : { generation: event.generation }),
          wallMs: event.wallMs,
          exit: event.exit!,
          ...(change === undefined ? {} : { change }),
        };
      }),
    story: events.filter((event) => event.sequence >= last).slice(-WHY_EVENTS),
  };
}
