// Signed commands from a command of the CLI: sign, send until answered, tell what was refused.

import type { Arguments } from "./arguments.ts";
import { type Conductor, conductorAt } from "./conductor.ts";
import type { IdCommand } from "./doubt.ts";
import { keyPathOf, openSigner, type Signer } from "./keys.ts";
import { parseReply, refusal, type Reply, sendUntilAnswered } from "./send.ts";
import { targetOf } from "./target.ts";

/** A conductor that takes an operator's commands. */
export interface Commanded {
  readonly conductor: Conductor;
  /**
   * Signs and sends; resolves to the reply's fields after `OK|`.
   *
   * @throws {Failure} `unreachable`, `unauthorized` or `refused`.
   */
  command(command: IdCommand): Promise<readonly string[]>;
  /**
   * The same for whom a refusal is an answer as well.
   *
   * @throws {Failure} `unreachable`.
   */
  reply(command: IdCommand): Promise<Reply>;
  /** The failure that a refusal is. */
  refusal(reply: Reply & { ok: false }): Error;
}

/** With what commands are signed, and whom they are sent to. */
export interface Asking {
  readonly conductor: Conductor;
  readonly signer: Signer;
  /** For the message when the conductor does not know the key. */
  readonly keyPath: string;
  /** How long the conductor may take to answer, ms. */
  readonly timeoutMs: number;
}

/**
 * An operator's commands to the conductor that the arguments name; `--timeout` bounds each of them.
 *
 * @param mostMs how long the conductor may take for one answer where `--timeout` bounds more
 * @throws {Failure} where the key or the address is no good.
 */
export async function commanding(args: Arguments, mostMs = Infinity): Promise<Commanded> {
  const { conductor: address, timeoutMs } = targetOf(args);
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const conductor = conductorAt(address, Math.min(timeoutMs, mostMs));
  return commandedBy({ conductor, signer, keyPath, timeoutMs });
}

/** An operator's commands to this conductor. */
export function commandedBy({ conductor, signer, keyPath, timeoutMs }: Asking): Commanded {
  const patienceMs = Math.max(timeoutMs, conductor.patienceMs);
  const reply = async (command: IdCommand) =>
    parseReply(await sendUntilAnswered(command, { conductor, signer, timeoutMs, patienceMs }));
  return {
    conductor,
    reply,
    refusal: (reply) => refusal(reply, keyPath),
    async command(command) {
      const answer = await reply(command);
      if (!answer.ok) throw refusal(answer, keyPath);
      return answer.fields;
    },
  };
}
