/** What each signed command means for the state: the reply, and whether it takes effect. */

import { type OperatorCommand, parseOperatorCommand } from "../core/command.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { judgeNodeVerb } from "./node_verbs.ts";
import type { State } from "./state.ts";

/** What comes of a command whose signature is good. */
export type Outcome =
  /** Goes into the log; the reply is given once it is durable. */
  | {
    readonly kind: "commit";
    readonly reply: string;
    readonly summary: string;
    readonly manifest?: string;
  }
  /** Nothing changes; the operator is told why. */
  | { readonly kind: "refuse"; readonly reply: string }
  /** Needs a manifest from the conductor's disk first. */
  | { readonly kind: "read"; readonly path: string }
  /** Is run by a node. */
  | { readonly kind: "exec"; readonly app: string; readonly summary: string };

const refuse = (code: string, text: string): Outcome => ({
  kind: "refuse",
  reply: `ERR|${code}|${text}`,
});

/** Judges a command against the state. Changes nothing. */
export function judge(state: State, command: string): Outcome {
  const parsed = parseOperatorCommand(command);
  if ("error" in parsed) return { kind: "refuse", reply: `ERR|${parsed.error}` };
  switch (parsed.verb) {
    case "APPLY":
      return judgeApply(state, parsed);
    case "DOWN":
    case "EVICT":
      return judgeDown(state, parsed);
    case "CORDON":
    case "UNCORDON":
    case "DRAIN":
    case "REBALANCE":
    case "RELEASE":
      return judgeNodeVerb(state, parsed);
    case "DECK":
      return { kind: "commit", reply: "OK|DECK", summary: "look at the deck" };
    case "SUBMIT":
    case "ROLLOUT":
      return { kind: "read", path: parsed.path };
    case "EXEC":
      return state.apps.has(parsed.app)
        ? { kind: "exec", app: parsed.app, summary: `exec in ${parsed.app}: ${parsed.command}` }
        : { kind: "refuse", reply: `ERR|not found: ${parsed.app}` };
    default:
      return parsed satisfies never;
  }
}

function judgeApply(
  state: State,
  command: Extract<OperatorCommand, { verb: "APPLY" }>,
): Outcome {
  const { app, generation, fallback, manifest } = command;
  const wrong = whyNotOne(manifest, app);
  if (wrong !== null) return refuse("MANIFEST", wrong);
  const known = state.apps.get(app);
  const last = known?.generations.at(-1)?.generation ?? 0;
  if (generation !== last + 1) {
    return refuse("CONFLICT", `${app} is at ${last}: the next must be ${last + 1}`);
  }
  if (fallback !== undefined && !known?.generations.some((g) => g.generation === fallback)) {
    return refuse("CONFLICT", `${app} has no generation ${fallback} to fall back to`);
  }
  return {
    kind: "commit",
    reply: `OK|APPLIED|${app}|${generation}`,
    summary: `apply ${app} generation ${generation}`,
  };
}

/** Why the text is not the manifest of just this app, or `null`. */
function whyNotOne(manifest: string, app: string): string | null {
  const parsed = parseManifest(manifest);
  if (!parsed.ok) {
    const first = parsed.errors[0]!;
    return `line ${first.line}: ${first.message}`;
  }
  if (parsed.apps.length !== 1) return `must hold one app, holds ${parsed.apps.length}`;
  const name = parsed.apps[0]!.name;
  return name === app ? null : `is of ${name}, the command of ${app}`;
}

function judgeDown(
  state: State,
  command: Extract<OperatorCommand, { verb: "DOWN" | "EVICT" }>,
): Outcome {
  const app = state.apps.get(command.app);
  if (!app || app.down) return { kind: "refuse", reply: `ERR|not found: ${command.app}` };
  const done = command.verb === "EVICT" ? "EVICTED" : "DOWN";
  return {
    kind: "commit",
    reply: `OK|${done}|${app.name}`,
    summary: `take ${app.name} down`,
  };
}

/** Judges a v1 SUBMIT or ROLLOUT whose manifest has been read from disk. */
export function judgeManifest(
  command: string,
  text: string,
  placeOf: (spec: AppSpec) => string,
): Outcome {
  const parsed = parseManifest(text);
  if (!parsed.ok) {
    const first = parsed.errors[0]!;
    return refuse("MANIFEST", `line ${first.line}: ${first.message}`);
  }
  const spec = parsed.apps[0];
  if (!spec || parsed.apps.length !== 1) {
    return refuse("MANIFEST", `must hold one app, holds ${parsed.apps.length}`);
  }
  const rollout = command.startsWith("ROLLOUT|");
  return {
    kind: "commit",
    reply: rollout
      ? `OK|ROLLOUT|${spec.name}|rolling`
      : `OK|SUBMITTED|${spec.name}|${placeOf(spec)}`,
    summary: `${rollout ? "rollout" : "submit"} ${spec.name} by path`,
    manifest: text,
  };
}
