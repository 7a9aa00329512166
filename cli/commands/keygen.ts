import { type Context, DONE } from "../command.ts";
import { keyPathOf, makeKeys } from "../keys.ts";

export async function run({ arguments: args, output }: Context): Promise<number> {
  const publicPath = args.value("out") ?? "skrtrview.pub";
  const keys = await makeKeys(keyPathOf(args), publicPath);
  if (args.has("json")) {
    output.print(JSON.stringify(keys));
    return DONE;
  }
  output.print(`secret key  ${keys.secretPath}  (keep it; never send it anywhere)`);
  output.print(`public key  ${keys.publicPath}  (give it to the conductor: --pubkey)`);
  output.print(`fingerprint ${keys.fingerprint}`);
  return DONE;
}
