// What a conductor of the original system, which knows only UDP, says about itself.

import { Failure } from "../core/errors.ts";
import type { Context } from "./command.ts";
import { conductorAt } from "./conductor.ts";
import { table } from "./render/table.ts";
import { mayBePlain, type Target, targetOf } from "./target.ts";
import { askUdp } from "./udp.ts";

/** One row of a v1 `LIST`. */
export interface V1Replica {
  readonly app: string;
  readonly node: string;
  readonly pid: number;
}

/** One row of a v1 `NODES`. */
export interface V1Node {
  readonly node: string;
  readonly address: string;
  readonly cpuPercent: number;
  readonly ramFreeMb: number;
  readonly gpu: boolean;
}

/** Reads `OK|LIST|<n>|<app>:<node_id>:<pid>,...`. */
export function parseV1List(reply: string): V1Replica[] {
  return items(reply, "LIST").map((item) => {
    const [app = "", node = "", pid] = item.split(":");
    return { app, node, pid: Number(pid) };
  });
}

/** Reads `OK|NODES|<n>|<node_id>:<ip>:<cpu_pct>:<ram_free_mb>[:GPU],...`. */
export function parseV1Nodes(reply: string): V1Node[] {
  return items(reply, "NODES").map((item) => {
    const [node = "", address = "", cpu, ram, gpu] = item.split(":");
    return { node, address, cpuPercent: Number(cpu), ramFreeMb: Number(ram), gpu: gpu === "GPU" };
  });
}

function items(reply: string, verb: string): string[] {
  const [status, said, , list = ""] = reply.split("|");
  if (status !== "OK" || said !== verb) {
    throw new Failure("refused", `the conductor refused: ${reply.slice(0, 200)}`);
  }
  // A list that did not fit its datagram ends in "[...]", in the middle of an item.
  const whole = list.endsWith("[...]") ? list.slice(0, list.lastIndexOf(",")) : list;
  return whole.split(",").filter((item) => item !== "");
}

/** The share of the timeout that HTTP gets before UDP is asked as well. */
const HTTP_SHARE = 0.5;

/**
 * Asks over HTTP, and by a v1 command over UDP when HTTP does not answer.
 *
 * @throws {Failure} `unreachable` when neither answers.
 */
export async function httpOrV1<T>(
  target: Target,
  path: string,
  command: string,
): Promise<{ readonly view: T } | { readonly reply: string }> {
  const http = conductorAt(target.conductor, target.timeoutMs).get<T>(path);
  if (!mayBePlain(target.conductor)) return { view: await http };
  const stop = new AbortController();
  const udp = async () => {
    await Promise.race([http.catch(() => {}), sleep(target.timeoutMs * HTTP_SHARE, stop.signal)]);
    if (stop.signal.aborted) return null;
    const timeoutMs = target.timeoutMs * (1 - HTTP_SHARE);
    return await askUdp(target.conductor, command, {
      timeoutMs,
      repeat: true,
      signal: stop.signal,
    });
  };
  const byUdp = udp();
  try {
    const view = http.then((view) => {
      stop.abort();
      return { view };
    });
    const reply = byUdp.then((reply) => reply === null ? Promise.reject() : { reply });
    return await Promise.any([view, reply]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    stop.abort();
    await byUdp;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The v1 list of replicas. */
export function v1ListLines(reply: string, { arguments: args, output }: Context): string[] {
  const replicas = parseV1List(reply);
  if (args.has("json")) return [JSON.stringify({ v1: true, replicas })];
  return table<V1Replica>(
    replicas,
    [
      { title: "APP", cell: (row) => row.app, color: (_, paint) => paint.strong },
      { title: "NODE", cell: (row) => row.node, least: 8 },
      { title: "PID", cell: (row) => String(row.pid), right: true },
    ],
    output.paint,
    output.columns,
  );
}

/** The v1 list of nodes. */
export function v1NodesLines(reply: string, { arguments: args, output }: Context): string[] {
  const nodes = parseV1Nodes(reply);
  if (args.has("json")) return [JSON.stringify({ v1: true, nodes })];
  return table<V1Node>(
    nodes,
    [
      { title: "NODE", cell: (row) => row.node, least: 8, color: (_, paint) => paint.strong },
      { title: "ADDRESS", cell: (row) => row.address },
      { title: "CPU", cell: (row) => `${row.cpuPercent} %`, right: true },
      { title: "RAM FREE", cell: (row) => `${row.ramFreeMb} MiB`, right: true },
      { title: "GPU", cell: (row) => row.gpu ? "yes" : "" },
    ],
    output.paint,
    output.columns,
  );
}

/** Where `status` finds only a v1 conductor it shows both lists. */
export async function v1StatusLines(reply: string, context: Context): Promise<string[]> {
  const target = targetOf(context.arguments);
  const list = await askUdp(target.conductor, "LIST", {
    timeoutMs: target.timeoutMs,
    repeat: true,
  });
  if (list === null) throw new Failure("unreachable", "the conductor does not answer LIST");
  return [
    ...v1NodesLines(reply, context),
    ...(context.arguments.has("json") ? [] : [""]),
    ...v1ListLines(list, context),
  ];
}
