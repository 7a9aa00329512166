import { Failure } from "../../core/errors.ts";
import type { QuotaView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { conductorAt } from "../conductor.ts";
import type { Output } from "../output.ts";
import { table } from "../render/table.ts";
import { size } from "../render/words.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

const LIMITS = ["replicas", "ram", "cpu"] as const;

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const namespace = args.positional[0]!;
  const isBounded = LIMITS.some((option) => args.value(option) !== undefined);
  if (!isBounded && !args.has("none")) return await show(args, namespace, output);
  if (isBounded && args.has("none")) {
    throw new Failure("usage", "--none takes the quota away: it goes with no limit");
  }
  const replicaLimit = numberOf(args, "replicas", /^[0-9]{1,9}$/, 1);
  const ramLimit = mibOf(args.value("ram"));
  const cpuLimit = numberOf(args, "cpu", /^[0-9]{1,6}(\.[0-9]{1,3})?$/, 1_000);
  const { command } = await commanding(args);
  await command({ verb: "QUOTA", id: commandId(), namespace, replicaLimit, ramLimit, cpuLimit });
  const quota = { namespace, replicaLimit, ramLimit, cpuLimit };
  return told(context, quota, isBounded ? `${namespace} has a quota` : `${namespace} has no quota`);
}

async function show(args: Arguments, namespace: string, output: Output): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const path = `/api/quotas/${encodeURIComponent(namespace)}`;
  const view = await conductor.get<QuotaView>(path);
  if (args.has("json")) output.print(JSON.stringify(view));
  else quotaLines(view, output).forEach((line) => output.print(line));
  return DONE;
}

function quotaLines({ namespace, quota, taken }: QuotaView, output: Output): string[] {
  const said = (amount: number | undefined, text: (amount: number) => string = String) =>
    amount === undefined ? "-" : text(amount);
  const cores = (amount: number) => String(Math.round(amount * 1_000) / 1_000);
  const rows = [
    ["replicas", said(taken.replicas), said(quota?.replicas)],
    ["memory", said(taken.ramBytes, size), said(quota?.ramBytes, size)],
    ["cores", said(taken.cores, cores), said(quota?.cores, cores)],
  ] as const;
  const lines = table(
    rows,
    [
      { title: "WHAT", cell: ([what]) => what },
      { title: "TAKEN", cell: ([, amount]) => amount, right: true },
      { title: "LIMIT", cell: ([, , limit]) => limit, right: true },
    ],
    output.paint,
    output.columns,
  );
  return [`${namespace} has ${quota ? "a" : "no"} quota`, ...lines];
}

function numberOf(args: Arguments, option: string, form: RegExp, scale: number): string {
  const text = args.value(option);
  if (text === undefined) return "-";
  if (!form.test(text)) throw new Failure("usage", `--${option} needs a number, not ${text}`);
  return String(Math.round(Number(text) * scale));
}

const MIB = { kb: 1 / 1_024, mb: 1, gb: 1_024 } as const;

function mibOf(text: string | undefined): string {
  if (text === undefined) return "-";
  const [, number, unit] = /^([0-9]{1,9})(kb|mb|gb)$/i.exec(text) ?? [];
  if (number === undefined) throw new Failure("usage", `--ram needs 512mb or 8gb, not ${text}`);
  return String(Math.floor(Number(number) * MIB[unit!.toLowerCase() as keyof typeof MIB]));
}
