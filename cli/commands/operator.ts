import { Failure } from "../../core/errors.ts";
import type { OperatorsView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { conductorAt } from "../conductor.ts";
import { grantOf, publicKeyOf } from "../granting.ts";
import type { Output } from "../output.ts";
import { table } from "../render/table.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [verb, name] = args.positional;
  if (verb === "list" && name === undefined) return await list(args, output);
  if (name === undefined || !["add", "rotate", "revoke"].includes(verb!)) {
    throw new Failure("usage", "skr8tr operator needs list, or add, rotate or revoke and a name");
  }
  const id = commandId();
  switch (verb) {
    case "add": {
      const publicKey = await publicKeyOf(args);
      const { command } = await commanding(args);
      await command({ verb: "OPERATOR", id, name, ...grantOf(args, Date.now()), publicKey });
      return told(context, { name, added: true }, `${name} added`);
    }
    case "rotate": {
      const publicKey = await publicKeyOf(args);
      await (await commanding(args)).command({ verb: "ROTATE", id, name, publicKey });
      return told(context, { name, rotated: true }, `${name} has another key`);
    }
    default:
      await (await commanding(args)).command({ verb: "REVOKE", id, name });
      return told(context, { name, revoked: true }, `${name} revoked`);
  }
}

async function list(args: Arguments, output: Output): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const view = await conductor.get<OperatorsView>("/api/operators");
  if (args.has("json")) {
    output.print(JSON.stringify(view));
    return DONE;
  }
  if (view.insecure) output.note("the conductor was started with --insecure: it obeys anybody");
  const rows = view.operators.flatMap((operator) =>
    operator.grants.map((grant) => ({ operator, grant }))
  );
  const lines = table(
    rows,
    [
      { title: "OPERATOR", cell: ({ operator }) => operator.name },
      { title: "KEY", cell: ({ operator }) => operator.key.slice(0, 16) },
      { title: "GRANT", cell: ({ grant }) => String(grant.number), right: true },
      { title: "ROLE", cell: ({ grant }) => grant.role },
      { title: "NAMESPACES", cell: ({ grant }) => grant.namespaces.join(",") || "*" },
      { title: "APPS", cell: ({ grant }) => grant.apps.join(",") || "*" },
      {
        title: "UNTIL",
        cell: ({ grant }) => {
          if (grant.untilS === undefined) return "-";
          const end = new Date(grant.untilS * 1_000).toISOString().slice(0, 16);
          return grant.untilS * 1_000 < Date.now() ? `${end} (over)` : end;
        },
      },
    ],
    output.paint,
    output.columns,
  );
  lines.forEach((line) => output.print(line));
  for (const { namespace, replicas, ramBytes, cores } of view.quotas) {
    const limit = (value: number | undefined, what: string) =>
      value === undefined ? [] : [`${value} ${what}`];
    const mib = ramBytes === undefined ? undefined : ramBytes / 1_048_576;
    const limits = [
      ...limit(replicas, "replicas"),
      ...limit(mib, "MiB of RAM"),
      ...limit(cores, "cores"),
    ];
    output.print(`quota of ${namespace}: ${limits.join(", ")}`);
  }
  return DONE;
}
