import { type Address, showAddress } from "../../core/address.ts";
import { type Context, DONE, UNREACHABLE } from "../command.ts";
import { targetOf } from "../target.ts";
import { askUdp } from "../udp.ts";

interface Pong {
  readonly daemon: string;
  readonly address: string;
  /** Round trip; `null` if nothing came back. */
  readonly ms: number | null;
}

export async function run({ arguments: args, output }: Context): Promise<number> {
  const { conductor, tower, timeoutMs } = targetOf(args);
  const pongs = await Promise.all([
    ping("conductor", conductor, timeoutMs),
    ping("tower", tower, timeoutMs),
  ]);
  const { paint } = output;
  if (args.has("json")) {
    output.print(JSON.stringify({ pongs }));
  } else {
    for (const { daemon, address, ms } of pongs) {
      const answer = ms === null
        ? paint.bad(`no answer within ${timeoutMs} ms`)
        : paint.good(`${ms.toFixed(1)} ms`);
      output.print(`${daemon.padEnd(9)}  ${address}  ${answer}`);
    }
  }
  return pongs.every((pong) => pong.ms !== null) ? DONE : UNREACHABLE;
}

async function ping(daemon: string, to: Address, timeoutMs: number): Promise<Pong> {
  const begun = performance.now();
  const reply = await askUdp(to, "PING", { timeoutMs, repeat: true });
  const alive = reply === `OK|PONG|${daemon}`;
  return { daemon, address: showAddress(to), ms: alive ? performance.now() - begun : null };
}
