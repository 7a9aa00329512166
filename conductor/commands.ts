/** What each signed command means for the state: the reply, and whether it takes effect. */

import { base64ToText } from "../core/bytes.ts";
import { type OperatorCommand, parseOperatorCommand } from "../core/command.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { judgeNodeVerb } from "./fleet/node_verbs.ts";
import { judgeSecret } from "./trust/secrets.ts";
import { judgeVerb } from "./verbs.ts";
import { artifactRefusal, judgeUpload } from "./artifacts.ts";
import { judgeRun } from "./jobs/job_state.ts";
import { whyNoRoom } from "./trust/quota.ts";
import type { RosterCommand } from "../core/roster.ts";
import { QUOTAS } from "../core/limits.ts";
import { describeDetails, parseDetails, type StreamKind } from "../core/stream/details.ts";
import { currentOf, placementOf, type State } from "./state.ts";

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
  | {
    readonly kind: "refuse";
    readonly reply: string;
    /** For the audit, where the reply does not tell. */
    readonly why?: string;
  }
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
    case "STOP":
    case "START":
    case "RESTART":
    case "SCALE": {
      const wrong = parsed.verb === "SCALE" ? whyNotScaled(state, parsed) : null;
      return wrong === null ? judgeVerb(state, parsed) : refuse("NAMESPACE", wrong);
    }
    case "PAUSE":
    case "RESUME":
      return judgeVerb(state, parsed);
    case "UPLOAD":
      return judgeUpload(parsed);
    case "RUN":
      return judgeRun(state, parsed);
    case "DECK":
      return { kind: "commit", reply: "OK|DECK", summary: "look at the deck" };
    case "FORGET":
      return state.members.named(parsed.member)
        ? {
          kind: "commit",
          reply: `OK|FORGOTTEN|${parsed.member}`,
          summary: `forget ${parsed.member}`,
        }
        : refuse("MEMBER", `no daemon is named ${parsed.member}`);
    case "SUCCEED":
      return refuse("SUCCEED", "skr8tr recover --succeed writes this where it makes a log anew");
    case "SUBMIT":
    case "ROLLOUT":
      return { kind: "read", path: parsed.path };
    case "OPEN":
      return judgeOpen(state, parsed);
    case "EXEC":
      return state.apps.has(parsed.app)
        ? { kind: "exec", app: parsed.app, summary: `exec in ${parsed.app}: ${parsed.command}` }
        : { kind: "refuse", reply: `ERR|not found: ${parsed.app}` };
    case "OPERATOR":
    case "GRANT":
    case "UNGRANT":
    case "ROTATE":
    case "REVOKE":
      return judgeRoster(state, parsed);
    case "SECRET":
    case "UNSECRET":
      return judgeSecret(state, parsed);
    case "QUOTA":
      if (state.quotas.size >= QUOTAS && !state.quotas.has(parsed.namespace)) {
        return refuse("LIMIT", `${QUOTAS} namespaces have quotas already`);
      }
      return {
        kind: "commit",
        reply: `OK|QUOTA|${parsed.namespace}`,
        summary: `quota of ${parsed.namespace}: replicas ${parsed.replicaLimit}, ` +
          `MiB ${parsed.ramLimit}, thousandths of a core ${parsed.cpuLimit}`,
      };
    default:
      return parsed satisfies never;
  }
}

/** More replicas than the namespace has room for are not asked for, either. */
function whyNotScaled(
  state: State,
  { app: name, count }: Extract<OperatorCommand, { verb: "SCALE" }>,
): string | null {
  const app = state.apps.get(name);
  if (!app || count === "-") return null;
  return whyNoRoom(state, currentOf(app).spec, Number(count));
}

/** A stream is written down before the node lets it begin. */
function judgeOpen(
  state: State,
  { kind, app, replica, details: encoded }: Extract<OperatorCommand, { verb: "OPEN" }>,
): Outcome {
  const details = parseDetails(kind as StreamKind, base64ToText(encoded) ?? "");
  if (details === null) return refuse("DETAILS", `the details of this ${kind} cannot be read`);
  const place = placementOf(state, replica);
  if (place?.app !== app) return { kind: "refuse", reply: `ERR|not found: ${replica} of ${app}` };
  return {
    kind: "commit",
    reply: `OK|OPEN|${replica}|${place.node}`,
    summary: `open at ${replica} of ${app}: ${describeDetails(details)}`,
  };
}

function judgeRoster(state: State, command: RosterCommand): Outcome {
  const { roster, head } = state;
  if (roster.isOpen) {
    return refuse("INSECURE", "a conductor started with --insecure knows no operators");
  }
  const sequence = head.sequence + 1;
  const wrong = roster.whyNotChange(sequence, command);
  if (wrong !== null) return refuse("OPERATOR", wrong);
  return {
    kind: "commit",
    reply: `OK|${command.verb}|${command.name}|${sequence}`,
    summary: summaryOf(command),
  };
}

function summaryOf(command: RosterCommand): string {
  const { name } = command;
  switch (command.verb) {
    case "OPERATOR":
    case "GRANT": {
      const { role, namespaces, apps, until } = command;
      const end = until === "-" ? "" : ` until ${new Date(Number(until) * 1_000).toISOString()}`;
      const given = `${role}, namespaces ${namespaces}, apps ${apps}${end}`;
      return `${command.verb === "OPERATOR" ? "add operator" : "grant"} ${name}: ${given}`;
    }
    case "UNGRANT":
      return `take grant ${command.grant} from ${name}`;
    case "ROTATE":
      return `rotate the key of ${name}`;
    case "REVOKE":
      return `revoke ${name}`;
    default:
      return command satisfies never;
  }
}

function judgeApply(
  state: State,
  command: Extract<OperatorCommand, { verb: "APPLY" }>,
): Outcome {
  const { app, generation, fallback, manifest } = command;
  const parsed = parseOne(manifest, app);
  if (typeof parsed === "string") return refuse("MANIFEST", parsed);
  const unsent = artifactRefusal(state, parsed);
  if (unsent !== null) return refuse("MANIFEST", unsent);
  const known = state.apps.get(app);
  const wrong = whyRefused(state, parsed);
  if (wrong !== null) return refuse("NAMESPACE", wrong);
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

/** Why the app cannot be as this says, whoever signs it; `null` where it can. */
export function whyRefused(state: State, spec: AppSpec): string | null {
  return whyMoved(state, spec) ?? whyNoRoom(state, spec);
}

/** An app that is up stays in its namespace. */
function whyMoved(state: State, spec: AppSpec): string | null {
  const app = state.apps.get(spec.name);
  if (!app || app.down) return null;
  const from = currentOf(app).spec.namespace;
  return from === spec.namespace
    ? null
    : `${spec.name} is up in the namespace ${from}: take it down before it moves to ${spec.namespace}`;
}

/** The one app that the text describes; why it is not the manifest of just this app. */
function parseOne(manifest: string, app: string): AppSpec | string {
  const parsed = parseManifest(manifest);
  if (!parsed.ok) {
    const first = parsed.errors[0]!;
    return `line ${first.line}: ${first.message}`;
  }
  if (parsed.apps.length !== 1) return `must hold one app, holds ${parsed.apps.length}`;
  const spec = parsed.apps[0]!;
  return spec.name === app ? spec : `is of ${spec.name}, the command of ${app}`;
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
  state: State,
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
  const wrong = whyRefused(state, spec);
  if (wrong !== null) return refuse("NAMESPACE", wrong);
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
