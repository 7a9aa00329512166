// How the CLI shows a conductor whose it is: a static key of its own, which the signing key has
// signed for a while. It is kept beside the signing key.

import { Failure } from "../core/errors.ts";
import type { Kem } from "../core/live/seal_primitives.ts";
import { operatorCertificateText } from "../core/seal/member.ts";
import type { KemSecret } from "../core/seal/primitives.ts";
import { integer, parseShaped, struct, text } from "../core/shape.ts";
import { fingerprint } from "../core/signed.ts";
import { openSigner } from "./keys.ts";

/** How long one is good; a new one is made when less than half is left, s. */
const GOOD_S = 30 * 86_400;

const fileShape = struct({
  version: integer(1, 1),
  staticSeed: text(128, /^[0-9a-f]{128}$/),
  operator: text(64, /^[0-9a-f]{64}$/),
  untilS: integer(0, 2 ** 40),
  signature: text(6_618, /^[0-9a-f]{6618}$/),
});

export interface OperatorCertificate {
  readonly staticKey: Uint8Array;
  readonly secret: KemSecret;
  /** For the first message of the handshake. */
  readonly payload: Uint8Array;
}

/** The certificate of the operator whose key this is; `null` where there is no key. */
export async function certificateOf(
  keyPath: string | undefined,
  kem: Kem,
): Promise<OperatorCertificate | null> {
  if (keyPath === undefined) return null;
  const path = `${keyPath.replace(/\.sec$/, "")}.seal`;
  const known = readKnown(path);
  const nowS = Date.now() / 1_000;
  const file = known && known.untilS - nowS > GOOD_S / 2 ? known : await make(keyPath, path, kem);
  if (file === null) return null;
  const { publicKey, secret } = await kem.fromSeed(Uint8Array.fromHex(file.staticSeed));
  const { operator, untilS, signature } = file;
  return {
    staticKey: publicKey,
    secret,
    payload: new TextEncoder().encode(JSON.stringify({ operator, untilS, signature })),
  };
}

function readKnown(path: string) {
  try {
    const { mode } = Deno.statSync(path);
    if (mode !== null && (mode & 0o077) !== 0) return null;
    return parseShaped(fileShape, Deno.readTextFileSync(path));
  } catch {
    return null;
  }
}

async function make(keyPath: string, path: string, kem: Kem) {
  let signer;
  try {
    signer = await openSigner(keyPath);
  } catch (error) {
    if (error instanceof Failure && error.code === "no-key") return null;
    throw error;
  }
  const { publicKeyOf } = await import("../core/sign.ts");
  const staticSeed = crypto.getRandomValues(new Uint8Array(64));
  const { publicKey } = await kem.fromSeed(staticSeed);
  const untilS = Math.floor(Date.now() / 1_000) + GOOD_S;
  const file = {
    version: 1,
    staticSeed: staticSeed.toHex(),
    operator: fingerprint(publicKeyOf(Deno.readFileSync(keyPath))),
    untilS,
    signature: await signer.sign(operatorCertificateText(publicKey, untilS)),
  };
  try {
    Deno.removeSync(path);
  } catch {
    // There was none.
  }
  try {
    Deno.writeTextFileSync(path, `${JSON.stringify(file)}\n`, { mode: 0o600, createNew: true });
  } catch {
    // Where it cannot be kept, one is made each time.
  }
  return file;
}
