// All that is known of one thing.

import type { AppView, EventView, NodeView, ReplicaView } from "../../core/view.ts";
import { harmless } from "../output.ts";
import { table } from "./table.ts";
import { appLines, eventLine, type Surface } from "./views.ts";
import { clockTime, exitText, replicaAddress, size, span, stateColor } from "./words.ts";

/** An app: how it is, what it runs by, what happened. */
export function describeApp(
  app: AppView,
  manifest: string,
  events: readonly EventView[],
  output: Surface,
  nowMs: number,
): string[] {
  return [
    ...appLines(app, output, nowMs),
    ...title("Manifest", output),
    ...manifest.trimEnd().split("\n").map((line) => `  ${harmless(line)}`),
    ...history(events, output, nowMs),
  ];
}

/** A replica: where, since when, how it ended last, its last words. */
export function describeReplica(
  app: AppView,
  replica: ReplicaView,
  events: readonly EventView[],
  output: Surface,
  nowMs: number,
): string[] {
  const { exit } = replica;
  const facts: [string, string][] = [
    ["app", `${app.app}, generation ${replica.generation} of ${app.generation}`],
    ["node", replica.node],
    ["address", replicaAddress(replica)],
    ["process", replica.pid === undefined ? "none" : `pid ${replica.pid}`],
    ["since", `${span(nowMs - replica.sinceWallMs)} (${clockTime(replica.sinceWallMs, nowMs)})`],
    ["restarts", String(replica.restarts)],
    ...(replica.reason ? [["reason", replica.reason] as [string, string]] : []),
    ...(exit
      ? [["last exit", `${exitText(exit)} at ${clockTime(exit.wallMs, nowMs)}`] as [string, string]]
      : []),
  ];
  return [
    `${output.paint.strong(replica.replica)} is ${
      stateColor(replica.state, output.paint)(replica.state)
    }`,
    "",
    ...factLines(facts),
    ...(exit?.tail === undefined ? [] : [
      ...title("Last words", output),
      ...exit.tail.split("\n").map((each) => `  | ${harmless(each)}`),
    ]),
    ...history(events, output, nowMs),
  ];
}

function clockRow(offMs: number): [string, string] {
  return ["clock", `${span(Math.abs(offMs))} ${offMs > 0 ? "ahead of" : "behind"} the conductor's`];
}

/** A node: its machine, what runs there, what happened. */
export function describeNode(
  node: NodeView,
  replicas: readonly ReplicaView[],
  events: readonly EventView[],
  output: Surface,
  nowMs: number,
): string[] {
  const { paint } = output;
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`).join(" ");
  const state = node.state === "dead" ? `dead, silent for ${span(node.silentMs)}` : node.state;
  const facts: [string, string][] = [
    ["id", node.id],
    ["address", `${node.host}:${node.port}`],
    ["CPU", `${Math.round(node.cpuPercent)} % of ${node.cores} cores`],
    ["RAM", `${size(node.ramFreeBytes)} free of ${size(node.ramTotalBytes)}`],
    ["GPU", node.gpu ? "yes" : "no"],
    ["labels", labels === "" ? "none" : labels],
    ...(node.clockOffMs === undefined ? [] : [clockRow(node.clockOffMs)]),
    ...(node.reason ? [["reason", node.reason] as [string, string]] : []),
  ];
  return [
    `${paint.strong(node.name)} is ${stateColor(node.state, paint)(state)}`,
    "",
    ...factLines(facts),
    ...title(`Replicas (${replicas.length})`, output),
    ...(replicas.length === 0 ? ["  none"] : table<ReplicaView>(
      replicas,
      [
        { title: "REPLICA", cell: (each) => each.replica, least: 8 },
        {
          title: "STATE",
          cell: (each) => each.state,
          color: (each) => stateColor(each.state, paint),
        },
        { title: "ADDRESS", cell: replicaAddress },
        { title: "GEN", cell: (each) => String(each.generation), right: true },
        { title: "RESTARTS", cell: (each) => String(each.restarts), right: true },
        { title: "SINCE", cell: (each) => span(nowMs - each.sinceWallMs), right: true },
      ],
      paint,
      output.columns,
    )),
    ...history(events, output, nowMs),
  ];
}

function title(text: string, { paint }: Surface): string[] {
  return ["", paint.strong(text)];
}

function factLines(facts: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, text]) => `  ${name.padEnd(width)}  ${harmless(text)}`);
}

function history(events: readonly EventView[], output: Surface, nowMs: number): string[] {
  const lines = events.map((event) => `  ${eventLine(event, output.paint, nowMs)}`);
  return [...title("Events", output), ...(lines.length > 0 ? lines : ["  none are kept"])];
}
