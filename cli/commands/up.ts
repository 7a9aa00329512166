import type { Context } from "../command.ts";
import { keyPathOf, openSigner } from "../keys.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  // The signer's first run takes 35 ms on a thread of its own; meanwhile the rest is loaded.
  const signer = args.has("dry-run") ? null : openSigner(keyPathOf(args));
  signer?.catch(() => {}); // told when it is needed: what is wrong with a manifest comes first
  const { up } = await import("../up.ts");
  return await up(context, signer);
}
