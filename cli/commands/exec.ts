import { Failure } from "../../core/errors.ts";
import type { Context } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { keyPathOf, openSigner } from "../keys.ts";
import { harmless } from "../output.ts";
import { refusal, signCommand } from "../send.ts";
import { targetOf } from "../target.ts";

/** A node lets a command run for 10 s; this is for the way there and back, too. */
const LEAST_MS = 15_000;

/**
 * Runs a shell command beside a replica and exits with its exit code. What is signed is the command
 * line with an end of its own, by which the code is told apart from what the command printed.
 */
export async function run({ arguments: args, output }: Context): Promise<number> {
  const [app = "", ...words] = args.positional;
  const target = targetOf(args);
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const mark = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const line = words.length === 1 ? words[0]! : words.map(quoted).join(" ");
  const command = `(${line}\n); printf '\\n%s %s' ${mark} $?`;
  const signed = await signCommand(signer, { verb: "EXEC", app, command });
  const conductor = conductorAt(target.conductor, Math.max(LEAST_MS, target.timeoutMs));
  // Never by a datagram: an answer may be longer, and this is not to be sent twice.
  const reply = (await conductor.post("/command", signed)).replace(/\n$/, "");
  const begin = `OK|EXEC|${app}|`;
  if (!reply.startsWith(begin)) {
    const [, code = ""] = reply.split("|");
    throw refusal({ ok: false, code, text: reply.replace(/^ERR\|/, "") }, keyPath);
  }
  const said = reply.slice(begin.length);
  const at = said.lastIndexOf(`\n${mark} `);
  const text = (at < 0 ? said : said.slice(0, at)).replace(/\n$/, "");
  if (text !== "") {
    output.print(
      output.columns === Infinity ? text : text.split("\n").map(harmless).join("\n"),
    );
  }
  if (at < 0) {
    throw new Failure("exec", "the command was cut off: it ran too long or printed too much");
  }
  return Number(said.slice(at + mark.length + 2));
}

/** A word for the shell, as it stands. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
