// What operators may tell nodes, and what they may say of where replicas live: judged here, done in
// state.ts by `applyNodeVerb`.

import type { OperatorCommand } from "../../core/command.ts";

import type { Outcome } from "../commands.ts";
import { type App, currentOf, holdsVolume, type State } from "../state.ts";

/** The commands that are judged here. */
export type NodeCommand = Extract<
  OperatorCommand,
  { verb: "CORDON" | "UNCORDON" | "DRAIN" | "REBALANCE" | "RELEASE" }
>;

/** Why an operator keeps replicas off a node. */
export interface Bar {
  /** `cordoned`: what runs there stays; `draining`: it moves away. */
  readonly kind: "cordoned" | "draining";
  readonly wallMs: number;
  /** Fingerprint of the operator's key. */
  readonly key: string;
}

/** Why nothing is placed there, for people; `null` where nothing bars it. */
export function barText(bar: Bar | undefined): string | null {
  if (!bar) return null;
  return bar.kind === "cordoned" ? "it is cordoned" : "it is being drained";
}

const refuse = (code: string, text: string): Outcome => ({
  kind: "refuse",
  reply: `ERR|${code}|${text}`,
});

/** The id of the node of this name (or id), or why there is no one such. */
export function findNode(
  nodes: ReadonlyMap<string, string>,
  named: string,
): { readonly id: string } | { readonly error: string } {
  if (nodes.has(named)) return { id: named };
  const ids = [...nodes].filter(([, name]) => name === named).map(([id]) => id);
  if (ids.length === 1) return { id: ids[0]! };
  return ids.length === 0
    ? { error: `no node is named ${named}; skr8tr nodes shows them` }
    : { error: `${ids.length} nodes are named ${named}: give the id` };
}

export function judgeNodeVerb(state: State, command: NodeCommand): Outcome {
  switch (command.verb) {
    case "CORDON":
    case "DRAIN":
    case "UNCORDON":
      return judgeBar(state, command);
    case "REBALANCE": {
      const { scope } = command;
      if (scope !== "*" && !isUp(state.apps.get(scope))) return notUp(scope);
      const what = scope === "*" ? "all apps" : scope;
      return { kind: "commit", reply: `OK|REBALANCING|${scope}`, summary: `rebalance ${what}` };
    }
    case "RELEASE": {
      const app = state.apps.get(command.app);
      if (!app) return notUp(command.app);
      if (currentOf(app).spec.volumes.length === 0) {
        return refuse("STATE", `${app.name} has no volume`);
      }
      const nodes = homesOf(app).map((node) => state.nodes.get(node) ?? node);
      if (nodes.length === 0) return refuse("STATE", `${app.name} has no home yet`);
      const how = command.how === "lost" ? ", whose machine is off for good" : "";
      return {
        kind: "commit",
        reply: `OK|RELEASED|${app.name}|${nodes.join(",")}`,
        summary: `give up the volumes of ${app.name} on ${nodes.join(", ")}${how}`,
      };
    }
    default:
      return command satisfies never;
  }
}

function judgeBar(
  state: State,
  command: NodeCommand & { verb: "CORDON" | "DRAIN" | "UNCORDON" },
): Outcome {
  const found = findNode(state.nodes, command.node);
  if ("error" in found) return refuse("NODE", found.error);
  const bar = state.bars.get(found.id)?.kind;
  const name = state.nodes.get(found.id)!;
  const past = { CORDON: "cordoned", DRAIN: "draining", UNCORDON: undefined }[command.verb];
  if (bar === past) {
    return refuse("STATE", `${name} is ${past ? `${past} already` : "not cordoned"}`);
  }
  return {
    kind: "commit",
    reply: `OK|${past?.toUpperCase() ?? "UNCORDONED"}|${name}`,
    summary: `${command.verb.toLowerCase()} ${name}`,
  };
}

function isUp(app: App | undefined): boolean {
  return app !== undefined && !app.down;
}

function notUp(app: string): Outcome {
  return { kind: "refuse", reply: `ERR|not found: ${app}` };
}

/** The nodes that hold what belongs to the app's volumes, as far as the log tells. */
export function homesOf(app: App): string[] {
  if (app.home !== undefined && holdsVolume(currentOf(app).spec)) return [app.home];
  return [...new Set([...app.placements.values()].map((place) => place.node))];
}

/** Applies one; the names of the apps that it may concern come back. */
export function applyNodeVerb(
  state: State,
  command: NodeCommand,
  { key, wallMs }: { readonly key: string; readonly wallMs: number },
): string[] {
  switch (command.verb) {
    case "CORDON":
    case "DRAIN":
    case "UNCORDON": {
      const found = findNode(state.nodes, command.node);
      if ("error" in found) return [];
      const kind = command.verb === "DRAIN" ? "draining" : "cordoned";
      if (command.verb === "UNCORDON") state.bars.delete(found.id);
      else state.bars.set(found.id, { kind, wallMs, key });
      return [...state.apps.keys()];
    }
    case "REBALANCE": {
      const names = command.scope === "*" ? [...state.apps.keys()] : [command.scope];
      const up = names.filter((name) => isUp(state.apps.get(name)));
      for (const name of up) state.rebalancing.add(name);
      return up;
    }
    case "RELEASE": {
      const app = state.apps.get(command.app);
      if (!app) return [];
      app.released = { lost: command.how === "lost", nodes: homesOf(app) };
      delete app.home;
      return [app.name];
    }
    default:
      return command satisfies never;
  }
}
