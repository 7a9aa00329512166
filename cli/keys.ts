// The operator's key files, and what signs with them.

import { Failure } from "../core/errors.ts";

export { keyPathOf } from "./key_path.ts";

/** Sizes of the files, which are raw FIPS 204 encodings. */
const SECRET_KEY_BYTES = 4_032;
const SEED_BYTES = 32;

/** Signs the text of commands. */
export interface Signer {
  /** `webcrypto` (from the seed) or `noble` (from the secret key). */
  readonly provider: "webcrypto" | "noble";
  /** 6618 lower-case hex characters over `<command>|<unix seconds>`. */
  sign(text: string): Promise<string>;
}

/** Where the seed of a secret key is kept: `signing.sec` -> `signing.seed`. */
export function seedPathOf(keyPath: string): string {
  return `${keyPath.replace(/\.sec$/, "")}.seed`;
}

/**
 * Opens a secret key for signing. With its seed beside it the runtime's WebCrypto signs, in under
 * 1 ms after a first run of 35 ms that it does on another thread, begun here; without, noble does,
 * in 25 ms the first time and 6 ms after that.
 *
 * @throws {Failure} `no-key`, `key-exposed` (group or others can read it) or `bad-key`.
 */
export async function openSigner(keyPath: string): Promise<Signer> {
  const secretKey = readPrivate(keyPath, SECRET_KEY_BYTES, "a signing key");
  if (secretKey === null) {
    throw new Failure(
      "no-key",
      `no signing key at ${keyPath}: make one with skr8tr keygen, or give --key FILE or ` +
        "SKR8TR_KEY (that of deno task cluster is .skr8tr/signing.sec in its folder)",
    );
  }
  const seedPath = seedPathOf(keyPath);
  const seed = readPrivate(seedPath, SEED_BYTES, "the seed of a signing key");
  const key = seed === null ? null : await importSeed(seed);
  if (key === null) return nobleSigner(secretKey);
  const signer = webCryptoSigner(key);
  if (!belongsTo(await publicKeyOf(key), secretKey)) {
    throw new Failure("bad-key", `${seedPath} is not the seed of ${keyPath}: remove it`);
  }
  return signer;
}

/**
 * Reads a file that must be nobody else's business; `null` if there is none. Synchronously, so that
 * signing begins before the modules that are being loaded meanwhile take the thread.
 */
function readPrivate(path: string, size: number, what: string): Uint8Array | null {
  let bytes: Uint8Array;
  let mode: number | null;
  try {
    const info = Deno.statSync(path);
    if (!info.isFile) throw new Failure("bad-key", `${path} is not a file`);
    mode = info.mode;
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Failure || !(error instanceof Error)) throw error;
    throw new Failure("bad-key", `cannot read ${path}: ${error.message}`);
  }
  // `mode` is null where the system has no such thing (Windows).
  if (mode !== null && (mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, "0");
    throw new Failure(
      "key-exposed",
      `${path} can be read by others (mode ${shown}): run chmod 600 ${path}`,
    );
  }
  if (bytes.length !== size) {
    throw new Failure("bad-key", `${path} is not ${what}: ${bytes.length} bytes, not ${size}`);
  }
  return bytes;
}

const ALGORITHM = "ML-DSA-65";

/** The key that a seed makes; `null` where the runtime's WebCrypto has no ML-DSA-65. */
async function importSeed(seed: Uint8Array): Promise<CryptoKey | null> {
  try {
    // "raw-seed" is newer than TypeScript's list of formats.
    const format = "raw-seed" as "raw";
    const bytes = seed as BufferSource;
    return await crypto.subtle.importKey(format, bytes, ALGORITHM, true, ["sign"]);
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) return null;
    throw error;
  }
}

async function publicKeyOf(key: CryptoKey): Promise<Uint8Array> {
  const { pub } = await crypto.subtle.exportKey("jwk", key) as JsonWebKey & { pub: string };
  return Uint8Array.fromBase64(pub, { alphabet: "base64url" });
}

/**
 * Says whether the keys come from the same seed. Both encodings begin with rho, 32 bytes that are
 * hashed from the seed together with all the rest (FIPS 204, algorithm 6).
 */
function belongsTo(publicKey: Uint8Array, secretKey: Uint8Array): boolean {
  return publicKey.subarray(0, 32).every((byte, index) => byte === secretKey[index]);
}

function webCryptoSigner(key: CryptoKey): Signer {
  const encoder = new TextEncoder();
  const signBytes = (bytes: Uint8Array) =>
    crypto.subtle.sign(ALGORITHM, key, bytes as BufferSource);
  // The first signature of a process includes the library's self-test; it runs on another thread
  // while the manifest is read and the plan fetched.
  const warm = signBytes(new Uint8Array(1));
  return {
    provider: "webcrypto",
    async sign(text) {
      await warm;
      return new Uint8Array(await signBytes(encoder.encode(text))).toHex();
    },
  };
}

function nobleSigner(secretKey: Uint8Array): Signer {
  return {
    provider: "noble",
    async sign(text) {
      const { sign } = await import("../core/sign.ts");
      return sign(secretKey, text, crypto.getRandomValues(new Uint8Array(32)));
    },
  };
}

/** What `makeKeys` wrote. */
export interface MadeKeys {
  readonly secretPath: string;
  readonly publicPath: string;
  /** Hex SHA-256 of the public key. */
  readonly fingerprint: string;
}

/**
 * Makes a key pair and writes its files: the secret key and its seed (mode 0600, in a folder that
 * is made 0700) and the public key.
 *
 * @throws {Failure} `exists` if any of the files is there already: nothing is written then;
 *   `cannot-write`.
 */
export async function makeKeys(secretPath: string, publicPath: string): Promise<MadeKeys> {
  const seedPath = seedPathOf(secretPath);
  const folder = secretPath.includes("/") ? secretPath.replace(/\/[^/]*$/, "") || "/" : ".";
  for (const path of [secretPath, seedPath, publicPath]) {
    if (await exists(path)) {
      throw new Failure("exists", `${path} is there already: keys are never overwritten`);
    }
  }
  const { keyPairFromSeed } = await import("../core/sign.ts");
  const { fingerprint } = await import("../core/signed.ts");
  const seed = crypto.getRandomValues(new Uint8Array(SEED_BYTES));
  const { publicKey, secretKey } = keyPairFromSeed(seed);
  const written: string[] = [];
  const write = async (path: string, bytes: Uint8Array, mode: number) => {
    await Deno.writeFile(path, bytes, { createNew: true, mode });
    written.push(path);
  };
  try {
    if (!await exists(folder)) await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await write(publicPath, publicKey, 0o644);
    await write(secretPath, secretKey, 0o600);
    await write(seedPath, seed, 0o600);
  } catch (error) {
    for (const path of written) await Deno.remove(path);
    throw new Failure("cannot-write", `cannot write the keys: ${(error as Error).message}`);
  }
  return { secretPath, publicPath, fingerprint: fingerprint(publicKey) };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new Failure("cannot-write", `cannot look at ${path}: ${(error as Error).message}`);
  }
}
