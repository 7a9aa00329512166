// What operators may tell an app to do without a new manifest: judged here, done in apply.ts.

import type { OperatorCommand } from "../core/command.ts";
import { APP_REPLICAS } from "../core/limits.ts";
import type { Outcome } from "./commands.ts";
import { whyNoRoom } from "./trust/quota.ts";
import { type App, currentOf, type State } from "./state.ts";

/** The commands that are judged here. */
export type VerbCommand = Extract<
  OperatorCommand,
  { verb: "STOP" | "START" | "RESTART" | "SCALE" | "PAUSE" | "RESUME" }
>;

const PAST: Readonly<Record<VerbCommand["verb"], string>> = {
  STOP: "STOPPED",
  START: "STARTED",
  RESTART: "RESTARTING",
  SCALE: "SCALED",
  PAUSE: "PAUSED",
  RESUME: "RESUMED",
};

/** Judges a command against the app as it is. */
export function judgeVerb(state: State, command: VerbCommand): Outcome {
  const app = state.apps.get(command.app);
  if (!app || app.down) return { kind: "refuse", reply: `ERR|not found: ${command.app}` };
  const why = whyNot(app, command) ?? whyOverQuota(state, app, command);
  if (why !== null) {
    return { kind: "refuse", reply: `ERR|STATE|${command.app} ${why}` };
  }
  const to = command.verb === "SCALE" ? ` to ${command.count}` : "";
  return {
    kind: "commit",
    reply: `OK|${PAST[command.verb]}|${app.name}`,
    summary: `${command.verb.toLowerCase()} ${app.name}${to}`,
  };
}

function whyNot(app: App, command: VerbCommand): string | null {
  const phase = app.rollout?.phase ?? "done";
  switch (command.verb) {
    case "STOP":
      return app.stopped ? "is stopped already" : null;
    case "START":
      return app.stopped ? null : "is not stopped";
    case "RESTART":
      return app.stopped ? "is stopped: skr8tr start runs it" : null;
    case "SCALE":
      return whyNotScale(app, command.count);
    case "PAUSE":
      if (phase === "done") return "is not being rolled out";
      return phase === "paused" ? "is paused already" : null;
    case "RESUME":
      return phase === "paused" || phase === "failed" ? null : "has no rollout that stands still";
    default:
      return command satisfies never;
  }
}

/** Only an operator's number of replicas asks for more than the manifest did. */
function whyOverQuota(state: State, app: App, command: VerbCommand): string | null {
  if (command.verb !== "SCALE") return null;
  const { spec } = currentOf(app);
  const count = command.count === "-" ? spec.replicas : Number(command.count);
  const why = whyNoRoom(state, spec, count);
  return why === null ? null : `cannot be scaled: ${why}`;
}

function whyNotScale(app: App, text: string): string | null {
  if (text === "-") return null;
  const count = Number(text);
  if (count > APP_REPLICAS) return `can have at most ${APP_REPLICAS} replicas`;
  const { scale } = currentOf(app).spec;
  if (!scale || count >= scale.min && count <= scale.max) return null;
  return `scales between ${scale.min} and ${scale.max}, as its manifest says`;
}
