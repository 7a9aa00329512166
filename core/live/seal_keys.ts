// A daemon's own identity: made at its first start, kept in a file that only its account can read.

import { sha256Hex } from "../bytes.ts";
import { Failure } from "../errors.ts";
import { certificateText, type Introduction } from "../seal/member.ts";
import type { KemSecret, Role } from "../seal/primitives.ts";
import { integer, parseShaped, struct, text } from "../shape.ts";
import { messageBytes } from "../signed.ts";
import { createKem, type Kem } from "./seal_primitives.ts";

/** The keys of one daemon. */
export interface SealKeys {
  readonly kem: Kem;
  readonly staticKey: Uint8Array;
  readonly secret: KemSecret;
  /** Hex SHA-256 of the identity's public key. */
  readonly identity: string;
  /** What strangers are told. */
  readonly introduction: Introduction;
  /** Signs as this identity; the signature in hex. */
  sign(text: string): Promise<string>;
}

const fileShape = struct({
  version: integer(1, 1),
  identitySeed: text(64, /^[0-9a-f]{64}$/),
  staticSeed: text(128, /^[0-9a-f]{128}$/),
  identityKey: text(2_604),
  certificate: text(6_618, /^[0-9a-f]{6618}$/),
});

/** Where a daemon's keys stand in its state folder, which it may share with others. */
export function sealKeysPath(state: string, role: Role): string {
  return `${state}/${role}.identity.json`;
}

/**
 * Opens a daemon's keys, or makes them.
 *
 * @throws {Failure} `bad-identity` where the file is damaged or readable by others; `cannot-write`.
 */
export async function openSealKeys(state: string, role: Role): Promise<SealKeys> {
  const path = sealKeysPath(state, role);
  const kem = await createKem();
  const json = await readPrivate(path) ?? await makeFile(state, path, kem);
  const file = parseShaped(fileShape, json);
  if (file === null) {
    throw new Failure(
      "bad-identity",
      `${path} is damaged: bring it back, or remove it and join anew`,
    );
  }
  const { publicKey, secret } = await kem.fromSeed(Uint8Array.fromHex(file.staticSeed));
  const { identityKey, certificate } = file;
  return {
    kem,
    staticKey: publicKey,
    secret,
    identity: sha256Hex(Uint8Array.fromBase64(identityKey)),
    introduction: { identityKey, staticKey: publicKey.toBase64(), certificate },
    sign: async (text) =>
      (await signWithSeed(Uint8Array.fromHex(file.identitySeed), text)).signature,
  };
}

async function readPrivate(path: string): Promise<string | null> {
  try {
    const { mode } = await Deno.stat(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new Failure("bad-identity", `${path} can be read by others: chmod 600 ${path}`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Failure) throw error;
    throw new Failure("bad-identity", `cannot read ${path}: ${(error as Error).message}`);
  }
}

async function makeFile(state: string, path: string, kem: Kem): Promise<string> {
  const identitySeed = crypto.getRandomValues(new Uint8Array(32));
  const staticSeed = crypto.getRandomValues(new Uint8Array(64));
  const { publicKey: staticKey } = await kem.fromSeed(staticSeed);
  const { publicKey, signature } = await signWithSeed(identitySeed, certificateText(staticKey));
  const json = JSON.stringify({
    version: 1,
    identitySeed: identitySeed.toHex(),
    staticSeed: staticSeed.toHex(),
    identityKey: publicKey.toBase64(),
    certificate: signature,
  });
  try {
    await Deno.mkdir(state, { recursive: true, mode: 0o700 });
    const started = `${path}.new`;
    await Deno.remove(started).catch(() => {});
    await Deno.writeTextFile(started, `${json}\n`, { mode: 0o600, createNew: true });
    await Deno.rename(started, path);
  } catch (error) {
    throw new Failure("cannot-write", `cannot write ${path}: ${(error as Error).message}`);
  }
  return json;
}

/** Signs with the ML-DSA-65 key of a seed: by WebCrypto, so that noble's need not be loaded. */
export async function signWithSeed(
  seed: Uint8Array,
  message: string,
): Promise<{ readonly publicKey: Uint8Array; readonly signature: string }> {
  const subtle = crypto.subtle as unknown as {
    importKey(...all: unknown[]): Promise<CryptoKey>;
    getPublicKey(key: CryptoKey, usages: string[]): Promise<CryptoKey>;
    exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>;
    sign(name: string, key: CryptoKey, data: Uint8Array): Promise<ArrayBuffer>;
  };
  try {
    const key = await subtle.importKey("raw-seed", seed, "ML-DSA-65", false, ["sign"]);
    const shown = await subtle.getPublicKey(key, ["verify"]);
    return {
      publicKey: new Uint8Array(await subtle.exportKey("raw-public", shown)),
      signature: new Uint8Array(await subtle.sign("ML-DSA-65", key, messageBytes(message))).toHex(),
    };
  } catch (error) {
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    // A runtime without ML-DSA: noble has it.
    const { keyPairFromSeed, sign } = await import("../sign.ts");
    const { publicKey, secretKey } = keyPairFromSeed(seed);
    return { publicKey, signature: sign(secretKey, message) };
  }
}
