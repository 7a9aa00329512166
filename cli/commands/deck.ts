import { showAddress } from "../../core/address.ts";
import { sha256Hex } from "../../core/bytes.ts";
import type { Context } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { keyPathOf, openSigner } from "../keys.ts";
import { commandId, parseReply, refusal, sendSigned, signCommand } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

/** Only the hash of the token is signed and kept by the conductor; the token stands in the link. */
export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const target = targetOf(args);
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const token = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const command = { verb: "DECK", id: commandId(), hash: sha256Hex(token) } as const;
  const signed = await signCommand(signer, command);
  const reply = parseReply(await sendSigned(conductor, signed, target.timeoutMs));
  if (!reply.ok) throw refusal(reply, keyPath);
  const url = `http://${showAddress(target.conductor)}/deck#${token}`;
  output.note("good for one minute and one use");
  return told(context, { url }, url);
}
