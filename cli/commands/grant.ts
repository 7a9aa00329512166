import type { OperatorsView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { grantOf, publicKeyOf } from "../granting.ts";
import { commandId } from "../send.ts";
import { Failure } from "../../core/errors.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const name = args.positional[0]!;
  const id = commandId();
  const grant = args.value("take");
  if (grant !== undefined) {
    if (!/^[0-9]+$/.test(grant)) throw new Failure("usage", "--take needs the number of a grant");
    await (await commanding(args)).command({ verb: "UNGRANT", id, name, grant });
    output.print(`grant ${grant} taken from ${name}`);
    return DONE;
  }
  const fields = grantOf(args, Date.now());
  const publicKey = args.value("pubkey") === undefined ? null : await publicKeyOf(args);
  const { conductor, command } = await commanding(args);
  if (publicKey !== null && !await isKnown(conductor, name)) {
    const [, , number] = await command({ verb: "OPERATOR", id, name, ...fields, publicKey });
    output.print(`${name} added, grant ${number}`);
    return DONE;
  }
  const [, , number] = await command({ verb: "GRANT", id, name, ...fields });
  output.print(`grant ${number} to ${name}`);
  return DONE;
}

async function isKnown(
  conductor: Awaited<ReturnType<typeof commanding>>["conductor"],
  name: string,
): Promise<boolean> {
  const { operators } = await conductor.get<OperatorsView>("/api/operators");
  return operators.some((each) => each.name === name);
}
