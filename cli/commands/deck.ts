import { showAddress } from "../../core/address.ts";
import { sha256Hex } from "../../core/bytes.ts";
import type { Context } from "../command.ts";
import { commanding } from "../commanding.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

/** Only the hash of the token is signed and kept by the conductor; the token stands in the link. */
export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const { command } = await commanding(args);
  const token = crypto.getRandomValues(new Uint8Array(32)).toHex();
  await command({ verb: "DECK", id: commandId(), hash: sha256Hex(token) });
  const url = `http://${showAddress(targetOf(args).conductor)}/deck#${token}`;
  output.note("good for one minute and one use");
  return told(context, { url }, url);
}
