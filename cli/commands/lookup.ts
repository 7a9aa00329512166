import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { targetOf } from "../target.ts";
import { askUdp } from "../udp.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const { tower, timeoutMs } = targetOf(args);
  const name = args.positional[0]!;
  const reply = await askUdp(tower, `LOOKUP|${name}`, { timeoutMs, repeat: true });
  if (reply === null) throw towerSilent(showAddress(tower), timeoutMs);
  const [status, verb, service = "", ip = "", port = ""] = reply.split("|");
  if (status === "OK" && verb === "LOOKUP") {
    const found = { name: service, host: ip, port: Number(port) };
    const address = showAddress({ hostname: ip, port: found.port });
    output.print(args.has("json") ? JSON.stringify(found) : address);
    return DONE;
  }
  if (verb !== "NOT_FOUND") throw new Failure("refused", `the tower refused: ${reply}`);
  if (args.has("json")) output.print(JSON.stringify({ name, error: "not found" }));
  else output.note(`${name}: the tower knows no ready replica of it`);
  return FAILED;
}

/** What is said when the tower does not answer. */
export function towerSilent(address: string, timeoutMs: number): Failure {
  return new Failure(
    "unreachable",
    `the tower does not answer: ${address}: no answer within ${timeoutMs} ms; is it running ` +
      "there? (--tower HOST:PORT or SKR8TR_TOWER names another)",
  );
}
