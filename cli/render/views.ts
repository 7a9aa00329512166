// The conductor's views as tables.

import { scaleLines } from "./scale.ts";
import type {
  AppView,
  EventView,
  NodeView,
  PlanView,
  ReplicaView,
  StatusView,
} from "../../core/view.ts";
import { harmless, type Output, type Paint } from "../output.ts";

import { type Column, table } from "./table.ts";
import { clockTime, counted, exitText, replicaAddress, size, span, stateColor } from "./words.ts";

/** What a table needs to know of where it is shown. */
export type Surface = Pick<Output, "paint" | "columns">;

/** One line of `list`: a replica, or an app that has none. */
interface ListRow {
  readonly app: AppView;
  readonly replica?: ReplicaView;
}

function listRows(apps: readonly AppView[]): ListRow[] {
  return apps.flatMap((app): ListRow[] =>
    app.replicas.length > 0 ? app.replicas.map((replica) => ({ app, replica })) : [{ app }]
  );
}

/** Every replica of every app. */
export function listTable(apps: readonly AppView[], output: Surface, nowMs: number): string[] {
  return table<ListRow>(
    listRows(apps),
    [
      {
        title: "APP",
        cell: ({ app }) => app.app,
        least: 12,
        spare: 3, // a replica's name begins with it
        color: (_, paint) => paint.strong,
      },
      { title: "REPLICA", cell: ({ app, replica }) => replica?.replica ?? app.app, least: 8 },
      ...replicaColumns<ListRow>((row) => row.replica, (row) => row.app.state, nowMs),
      { title: "WHY", cell: ({ app, replica }) => whyOf(app, replica), least: 8 },
    ],
    output.paint,
    output.columns,
  );
}

function replicaColumns<Row>(
  of: (row: Row) => ReplicaView | undefined,
  otherwise: (row: Row) => AppView["state"],
  nowMs: number,
): Column<Row>[] {
  const cell = (show: (replica: ReplicaView) => string) => (row: Row) => {
    const replica = of(row);
    return replica ? show(replica) : "-";
  };
  return [
    {
      title: "STATE",
      cell: (row) => of(row)?.state ?? otherwise(row),
      color: (row, paint) => stateColor(of(row)?.state ?? otherwise(row), paint),
    },
    { title: "NODE", cell: cell((replica) => replica.node), least: 6 },
    { title: "ADDRESS", cell: cell(replicaAddress) },
    {
      title: "PID",
      cell: cell((replica) => String(replica.pid ?? "-")),
      right: true,
      spare: 1,
    },
    {
      title: "GEN",
      cell: cell((replica) => String(replica.generation)),
      right: true,
      spare: 2,
    },
    {
      title: "RESTARTS",
      cell: cell((replica) => String(replica.restarts)),
      right: true,
      spare: 5,
    },
    {
      title: "SINCE",
      cell: cell((replica) => span(nowMs - replica.sinceWallMs)),
      right: true,
      spare: 4,
    },
  ];
}

function whyOf(app: AppView, replica: ReplicaView | undefined): string {
  if (!replica) return app.reasons[0] ?? "";
  if (replica.state === "ready") return "";
  return replica.reason ?? (replica.exit ? exitText(replica.exit) : "");
}

/** All nodes. */
export function nodesTable(nodes: readonly NodeView[], output: Surface): string[] {
  return table<NodeView>(
    nodes,
    [
      { title: "NODE", cell: (node) => node.name, least: 8, color: (_, paint) => paint.strong },
      {
        title: "STATE",
        cell: (node) =>
          (node.state === "dead" ? `dead (${span(node.silentMs)})` : node.state) +
          (node.bar === undefined ? "" : `, ${node.bar}`),
        color: (node, paint) => stateColor(node.state, paint),
      },
      { title: "ADDRESS", cell: (node) => `${node.host}:${node.port}` },
      { title: "CPU", cell: (node) => `${Math.round(node.cpuPercent)} %`, right: true },
      { title: "CORES", cell: (node) => String(node.cores), right: true, spare: 2 },
      { title: "RAM FREE", cell: (node) => size(node.ramFreeBytes), right: true },
      { title: "OF", cell: (node) => size(node.ramTotalBytes), right: true, spare: 3 },
      { title: "REPLICAS", cell: (node) => String(node.replicas), right: true },
      { title: "ID", cell: (node) => node.id.slice(0, 12), spare: 1 },
      { title: "LABELS", cell: labelsOf, least: 6 },
    ],
    output.paint,
    output.columns,
  );
}

function labelsOf(node: NodeView): string {
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
  return [...(node.gpu ? ["gpu"] : []), ...labels].join(" ");
}

/** All apps, one line each. */
export function appsTable(apps: readonly AppView[], output: Surface): string[] {
  return table<AppView>(
    apps,
    [
      { title: "APP", cell: (app) => app.app, least: 12, color: (_, paint) => paint.strong },
      {
        title: "STATE",
        cell: (app) => app.state,
        color: (app, paint) => stateColor(app.state, paint),
      },
      { title: "READY", cell: (app) => `${app.ready}/${app.wanted}`, right: true },
      { title: "GEN", cell: (app) => String(app.generation), right: true },
      { title: "TYPE", cell: (app) => app.type, spare: 1 },
      { title: "WHY", cell: (app) => app.reasons.join("; "), least: 8 },
    ],
    output.paint,
    output.columns,
  );
}

/** The whole cluster. */
export function statusLines(status: StatusView, output: Surface): string[] {
  const { paint } = output;
  const { conductor, nodes, apps, problems, sequence } = status;
  const live = nodes.filter((node) => node.state === "ready").length;
  return [
    `conductor ${conductor.version}, up ${span(conductor.upMs)}, log at ${sequence}`,
    "",
    ...(nodes.length > 0 ? nodesTable(nodes, output) : ["no nodes have joined"]),
    "",
    ...(apps.length > 0 ? appsTable(apps, output) : ["no apps: skr8tr up FILE deploys some"]),
    "",
    ...problemLines(
      live === 0 ? ["no node is alive: nothing can run", ...problems] : problems,
      paint,
      `all is well: ${counted(live, "node")}, ${counted(apps.length, "app")}`,
    ),
  ];
}

function problemLines(problems: readonly string[], paint: Paint, well: string): string[] {
  if (problems.length === 0) return [paint.good(well)];
  return problems.map((problem) => `${paint.bad("!")} ${harmless(problem)}`);
}

/** One app. */
export function appLines(app: AppView, output: Surface, nowMs: number): string[] {
  const { paint } = output;
  const state = stateColor(app.state, paint)(app.state);
  const signed = `${clockTime(app.signedWallMs, nowMs)} by ${app.signedBy.slice(0, 16)}`;
  return [
    `${paint.strong(app.app)} is ${state}: ${app.ready} of ${app.wanted} ready, ` +
    `generation ${app.generation}, signed ${signed}`,
    ...app.reasons.map((reason) => `${paint.bad("!")} ${harmless(reason)}`),
    ...scaleLines(app.scale),
    "",
    ...(app.replicas.length > 0
      ? table<ReplicaView>(
        app.replicas,
        [
          { title: "REPLICA", cell: (replica) => replica.replica, least: 8 },
          ...replicaColumns<ReplicaView>((replica) => replica, () => app.state, nowMs),
          { title: "WHY", cell: (replica) => whyOf(app, replica), least: 8 },
        ],
        paint,
        output.columns,
      )
      : ["no replicas"]),
  ];
}

/** The plan for one app, as `up --dry-run` prints it. */
export function planLines(app: PlanView["apps"][number], paint: Paint): string[] {
  const title = app.unchanged
    ? `${paint.strong(app.app)} unchanged`
    : `${paint.strong(app.app)} generation ${app.generation}`;
  return [
    title,
    ...app.operations.map((operation) => `  ${harmless(operation)}`),
    ...app.unplaced.map((reason) => `  ${paint.warn(harmless(reason))}`),
    ...(app.refused === undefined ? [] : [`  ${paint.bad("refused:")} ${harmless(app.refused)}`]),
  ];
}

/** One event. */
export function eventLine(event: EventView, paint: Paint, nowMs: number): string {
  const time = paint.faint(clockTime(event.wallMs, nowMs));
  return `${time}  ${event.kind.padEnd(16)}  ${harmless(event.text)}`;
}
