// Who uses the machines, and who is asked most.

import type { DeckSample, TrafficSample } from "../../core/deck_view.ts";
import type { AppView, NodeView, StatusView } from "../../core/view.ts";
import { table } from "./table.ts";
import type { Surface } from "./views.ts";
import { size } from "./words.ts";

const BAR = 20;

/** A bar of `BAR` characters for a percentage. */
export function bar(percent: number): string {
  const full = Math.max(0, Math.min(BAR, Math.round(percent / 100 * BAR)));
  return "█".repeat(full) + "░".repeat(BAR - full);
}

/** Nodes with the busiest first, then apps with the most asked first. */
export function topLines(status: StatusView, sample: DeckSample, output: Surface): string[] {
  const { paint, columns } = output;
  const nodes = status.nodes.filter((node) => node.state === "ready")
    .toSorted((a, b) => b.cpuPercent - a.cpuPercent);
  const apps = status.apps.map((app) => ({ app, traffic: sample.apps[app.app] }))
    .toSorted((a, b) => rate(b.traffic) - rate(a.traffic));
  const color = (percent: number) =>
    percent >= 90 ? paint.bad : percent >= 70 ? paint.warn : paint.good;
  return [
    ...table<NodeView>(
      nodes,
      [
        { title: "NODE", cell: (node) => node.name, least: 8, color: () => paint.strong },
        { title: "CPU", cell: (node) => `${Math.round(node.cpuPercent)} %`, right: true },
        {
          title: "",
          cell: (node) => bar(node.cpuPercent),
          color: (node) => color(node.cpuPercent),
        },
        { title: "RAM", cell: (node) => `${Math.round(ramPercent(node))} %`, right: true },
        {
          title: "",
          spare: 1,
          cell: (node) => bar(ramPercent(node)),
          color: (node) => color(ramPercent(node)),
        },
        { title: "FREE", cell: (node) => size(node.ramFreeBytes), right: true },
        { title: "REPLICAS", spare: 2, cell: (node) => String(node.replicas), right: true },
      ],
      paint,
      columns,
    ),
    "",
    ...table<{ app: AppView; traffic: TrafficSample | undefined }>(
      apps,
      [
        { title: "APP", cell: ({ app }) => app.app, least: 12, color: () => paint.strong },
        { title: "READY", cell: ({ app }) => `${app.ready}/${app.wanted}`, right: true },
        {
          title: "REQUESTS/S",
          cell: ({ traffic }) => traffic ? digits(traffic.requestsPerSecond) : "-",
          right: true,
        },
        {
          title: "5XX/S",
          cell: ({ traffic }) => traffic ? digits(traffic.errorsPerSecond) : "-",
          right: true,
          color: ({ traffic }) =>
            traffic && traffic.errorsPerSecond > 0 ? paint.bad : (text) => text,
        },
        {
          title: "P50",
          cell: ({ traffic }) => traffic ? `${digits(traffic.p50Ms)} ms` : "-",
          right: true,
        },
        {
          title: "P95",
          cell: ({ traffic }) => traffic ? `${digits(traffic.p95Ms)} ms` : "-",
          right: true,
        },
        {
          title: "IN FLIGHT",
          spare: 1,
          cell: ({ traffic }) => traffic ? String(traffic.inFlight) : "-",
          right: true,
        },
      ],
      paint,
      columns,
    ),
  ];
}

const rate = (traffic: TrafficSample | undefined) => traffic?.requestsPerSecond ?? -1;

function digits(value: number): string {
  return value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1);
}

function ramPercent(node: NodeView): number {
  if (node.ramTotalBytes === 0) return 0;
  return 100 * (node.ramTotalBytes - node.ramFreeBytes) / node.ramTotalBytes;
}
