import { Failure } from "../../core/errors.ts";
import type { WhatIfNode, WhatIfView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { harmless, type Output } from "../output.ts";
import { table } from "../render/table.ts";
import { targetOf } from "../target.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const view = await conductor.get<WhatIfView>(`/api/what-if?${queryOf(args)}`);
  if (args.has("json")) output.print(JSON.stringify(view));
  else show(view, output);
  return view.unplaced.length === 0 ? DONE : FAILED;
}

function queryOf(args: Arguments): URLSearchParams {
  const query = new URLSearchParams();
  const pass = (option: string, as: string, read: (text: string) => string) => {
    const text = args.value(option);
    if (text !== undefined) query.set(as, read(text));
  };
  const number = (option: string) => (text: string) => {
    if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) {
      throw new Failure("usage", `--${option} needs a number, not ${text}`);
    }
    return text;
  };
  pass("lose", "lose", (text) => text);
  pass("add", "add", number("add"));
  pass("ram", "ram", bytesOf);
  pass("cpu", "cpu", number("cpu"));
  pass("label", "labels", (text) => text);
  if (args.has("gpu")) query.set("gpu", "1");
  if (!query.has("lose") && !query.has("add")) {
    throw new Failure("usage", "say --lose NODES or --add N");
  }
  return query;
}

const UNITS = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 } as const;

function bytesOf(text: string): string {
  const [, number, unit = ""] = /^([0-9]{1,9})(kb|mb|gb|tb)$/i.exec(text) ?? [];
  if (number === undefined) throw new Failure("usage", `--ram needs 512mb or 8gb, not ${text}`);
  return String(Number(number) * UNITS[unit.toLowerCase() as keyof typeof UNITS]);
}

function show(view: WhatIfView, output: Output): void {
  const { paint } = output;
  const print = (lines: readonly string[], color: (text: string) => string = (text) => text) => {
    for (const line of lines) output.print(color(harmless(line)));
  };
  print(view.operations);
  print(view.waiting.map((text) => `wait: ${text}`), paint.warn);
  print(view.unplaced, paint.bad);
  print(
    view.interrupted.map((app) => `${app} has no ready replica until a replacement is ready`),
    paint.warn,
  );
  if (view.operations.length + view.waiting.length + view.unplaced.length === 0) {
    output.print("nothing would be placed, stopped or moved");
  }
  if (view.moves.length > 0) {
    output.print(`skr8tr rebalance would then move ${view.moves.length}:`);
    print(view.moves.map((text) => `  ${text}`));
  }
  output.print("");
  const change = (before: number, after: number, unit: string) =>
    before === after ? `${after}${unit}` : `${before} -> ${after}${unit}`;
  const lines = table<WhatIfNode>(
    view.nodes,
    [
      {
        title: "NODE",
        cell: (node) => node.change === "stays" ? node.name : `${node.name} (${node.change})`,
        least: 8,
        color: (node) => node.change === "lost" ? paint.bad : (text) => text,
      },
      {
        title: "REPLICAS",
        cell: (node) => change(node.replicasBefore, node.replicasAfter, ""),
        right: true,
      },
      {
        title: "RAM ASKED",
        cell: (node) => change(node.ramPercentBefore, node.ramPercentAfter, " %"),
        right: true,
      },
      {
        title: "CPU ASKED",
        cell: (node) => change(node.cpuPercentBefore, node.cpuPercentAfter, " %"),
        right: true,
      },
    ],
    paint,
    output.columns,
  );
  for (const line of lines) output.print(line);
}
