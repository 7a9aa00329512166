// One process of the rows `sign` and `verify`: the first operation of a fresh process, then the
// median of many. Arguments: provider, operation. Prints `{"coldMs": ..., "warmMs": ...}`.

import type { Signer } from "../../cli/keys.ts";
import { median } from "../statistics.ts";

const [provider, operation] = Deno.args;
const WARM = 200;
const TEXT = "APPLY|0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0|web|1|-|" + "QUFB".repeat(100) +
  "|1760000000";
const seed = new Uint8Array(32).map((_, at) => at);

async function prepare(): Promise<() => Promise<unknown>> {
  const folder = await Deno.makeTempDir({ prefix: "bench-sign-" });
  const { keyPairFromSeed, sign } = await import("../../core/sign.ts");
  const { publicKey, secretKey } = keyPairFromSeed(seed);
  const signature = operation === "verify" ? sign(secretKey, TEXT) : "";
  await Deno.writeFile(`${folder}/signing.sec`, secretKey, { mode: 0o600 });
  if (provider === "webcrypto") {
    await Deno.writeFile(`${folder}/signing.seed`, seed, { mode: 0o600 });
  }
  await Deno.writeTextFile(`${folder}/signature`, signature);
  await Deno.writeFile(`${folder}/public`, publicKey);
  console.log(folder);
  return () => Promise.resolve();
}

/** What is measured, from nothing loaded. */
async function first(folder: string): Promise<() => Promise<unknown>> {
  if (operation === "sign") {
    const { openSigner } = await import("../../cli/keys.ts");
    const signer: Signer = await openSigner(`${folder}/signing.sec`);
    if (signer.provider !== provider) throw new Error(`${provider} is not there`);
    const run = () => signer.sign(TEXT);
    await run();
    return run;
  }
  const { nobleVerifier, webCryptoVerifier } = await import("../../core/live/crypto.ts");
  const verifier = provider === "noble" ? await nobleVerifier() : webCryptoVerifier();
  const publicKey = await Deno.readFile(`${folder}/public`);
  const signature = await Deno.readTextFile(`${folder}/signature`);
  const run = async () => {
    if (!await verifier.verify(publicKey, TEXT, signature)) {
      throw new Error("a good one is refused");
    }
  };
  await run();
  return run;
}

const [, , folder] = Deno.args;
if (folder === undefined) {
  await prepare();
} else {
  const startedMs = performance.now();
  const run = await first(folder);
  const coldMs = performance.now() - startedMs;
  const samples: number[] = [];
  for (let count = 0; count < WARM; count++) {
    const beganMs = performance.now();
    await run();
    samples.push(performance.now() - beganMs);
  }
  console.log(JSON.stringify({ coldMs, warmMs: median(samples) }));
}
