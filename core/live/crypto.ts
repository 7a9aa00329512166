import { fromHex } from "../bytes.ts";
import { type Message, messageBytes, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "../signed.ts";

/** Verifies ML-DSA-65 signatures. */
export interface Verifier {
  /** `webcrypto` or `noble`. */
  readonly provider: string;
  /** Says whether this key signed this message. Never throws. */
  verify(publicKey: Uint8Array, message: Message, signatureHex: string): Promise<boolean>;
}

const ALGORITHM = "ML-DSA-65";

/** The fastest verifier of this runtime: its WebCrypto where that knows ML-DSA-65, else noble. */
export async function createVerifier(): Promise<Verifier> {
  return await knowsMlDsa() ? webCryptoVerifier() : await nobleVerifier();
}

/** Verifies by `@noble/post-quantum`, about eight times slower. */
export async function nobleVerifier(): Promise<Verifier> {
  // Where WebCrypto verifies, nobody pays for loading it.
  const { verify: verifyPure } = await import("../sign.ts");
  return {
    provider: "noble",
    verify: (publicKey, message, signatureHex) =>
      Promise.resolve(verifyPure(publicKey, message, signatureHex)),
  };
}

/** Verifies by the runtime's WebCrypto; imported keys are kept, since operators are few. */
export function webCryptoVerifier(): Verifier {
  const keys = new Map<string, Promise<CryptoKey>>();
  const keyOf = (raw: Uint8Array) => {
    const name = raw.toHex();
    let key = keys.get(name);
    if (!key) {
      if (keys.size >= 256) keys.clear();
      key = importKey(raw);
      keys.set(name, key);
    }
    return key;
  };
  return {
    provider: "webcrypto",
    async verify(publicKey, message, signatureHex) {
      const signature = fromHex(signatureHex);
      if (signature?.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) {
        return false;
      }
      try {
        const key = await keyOf(publicKey);
        return await crypto.subtle.verify(
          ALGORITHM,
          key,
          signature as BufferSource,
          messageBytes(message) as BufferSource,
        );
      } catch (error) {
        // A key that WebCrypto will not import verifies nothing.
        if (error instanceof DOMException || error instanceof TypeError) return false;
        throw error;
      }
    },
  };
}

function importKey(raw: Uint8Array): Promise<CryptoKey> {
  // "raw-public" is newer than TypeScript's list of formats.
  return crypto.subtle.importKey(
    "raw-public" as "raw",
    raw as BufferSource,
    ALGORITHM,
    false,
    ["verify"],
  );
}

async function knowsMlDsa(): Promise<boolean> {
  try {
    await importKey(new Uint8Array(PUBLIC_KEY_BYTES));
    return true;
  } catch {
    return false;
  }
}
