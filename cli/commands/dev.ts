import type { Context } from "../command.ts";
import { keyPathOf, openSigner } from "../keys.ts";

export async function run(context: Context): Promise<number> {
  const signer = openSigner(keyPathOf(context.arguments));
  signer.catch(() => {}); // told when it is needed: what is wrong with a manifest comes first
  const { dev } = await import("../dev.ts");
  return await dev(context, signer);
}
