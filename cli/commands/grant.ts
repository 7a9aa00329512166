import type { OperatorsView } from "../../core/view.ts";
import type { Context } from "../command.ts";
import { commanding } from "../commanding.ts";
import { grantOf, publicKeyOf } from "../granting.ts";
import { commandId } from "../send.ts";
import { told } from "../told.ts";
import { Failure } from "../../core/errors.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const name = args.positional[0]!;
  const id = commandId();
  const grant = args.value("take");
  if (grant !== undefined) {
    if (!/^[0-9]+$/.test(grant)) throw new Failure("usage", "--take needs the number of a grant");
    await (await commanding(args)).command({ verb: "UNGRANT", id, name, grant });
    return told(context, { name, taken: Number(grant) }, `grant ${grant} taken from ${name}`);
  }
  const fields = grantOf(args, Date.now());
  const publicKey = args.value("pubkey") === undefined ? null : await publicKeyOf(args);
  const { conductor, command } = await commanding(args);
  if (publicKey !== null && !await isKnown(conductor, name)) {
    const [, , number] = await command({ verb: "OPERATOR", id, name, ...fields, publicKey });
    return told(context, { name, grant: Number(number) }, `${name} added, grant ${number}`);
  }
  const [, , number] = await command({ verb: "GRANT", id, name, ...fields });
  return told(context, { name, grant: Number(number) }, `grant ${number} to ${name}`);
}

async function isKnown(
  conductor: Awaited<ReturnType<typeof commanding>>["conductor"],
  name: string,
): Promise<boolean> {
  const { operators } = await conductor.get<OperatorsView>("/api/operators");
  return operators.some((each) => each.name === name);
}
