import { Failure } from "../../core/errors.ts";
import type { Arguments } from "../arguments.ts";
import type { Context } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";
import { told } from "../told.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const namespace = args.positional[0]!;
  const replicaLimit = numberOf(args, "replicas", /^[0-9]{1,9}$/, 1);
  const ramLimit = mibOf(args.value("ram"));
  const cpuLimit = numberOf(args, "cpu", /^[0-9]{1,6}(\.[0-9]{1,3})?$/, 1_000);
  const { command } = await commanding(args);
  await command({ verb: "QUOTA", id: commandId(), namespace, replicaLimit, ramLimit, cpuLimit });
  const none = [replicaLimit, ramLimit, cpuLimit].every((limit) => limit === "-");
  const quota = { namespace, replicaLimit, ramLimit, cpuLimit };
  return told(context, quota, none ? `${namespace} has no quota` : `${namespace} has a quota`);
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
