// One signed command from a command of the CLI: sign, send, tell what was refused.

import type { OperatorCommand } from "../core/command.ts";
import type { Arguments } from "./arguments.ts";
import { type Conductor, conductorAt } from "./conductor.ts";
import { keyPathOf, openSigner } from "./keys.ts";
import { parseReply, refusal, sendSigned, signCommand } from "./send.ts";
import { targetOf } from "./target.ts";

/** A conductor that takes an operator's commands. */
export interface Commanded {
  readonly conductor: Conductor;
  /**
   * Signs and sends; resolves to the reply's fields after `OK|`.
   *
   * @throws {Failure} `unreachable`, `unauthorized` or `refused`.
   */
  command(command: OperatorCommand): Promise<readonly string[]>;
}

/** @throws {Failure} where the key or the address is no good. */
export async function commanding(args: Arguments): Promise<Commanded> {
  const target = targetOf(args);
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  return {
    conductor,
    async command(command) {
      const signed = await signCommand(signer, command);
      const reply = parseReply(await sendSigned(conductor, signed, target.timeoutMs));
      if (!reply.ok) throw refusal(reply, keyPath);
      return reply.fields;
    },
  };
}
