// The primitives of the seal: AES-256-GCM of node:crypto, which is synchronous, and ML-KEM-768 of the
// runtime's WebCrypto, or of @noble/post-quantum where that does not know it.

import { createCipheriv, createDecipheriv } from "node:crypto";
import {
  type Aead,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_BYTES,
  type KemAnswer,
  type KemAnswers,
  type KemOperation,
  type KemSecret,
  TAG_BYTES,
} from "../seal/primitives.ts";

/** Writes a counter as AES-GCM's nonce in Noise: four zero bytes, then 64 bits big-endian. */
function nonceOf(counter: number): Uint8Array {
  const nonce = new Uint8Array(12);
  // Byte by byte: a view of each of thousands a second costs more than all of this.
  let rest = counter;
  for (let at = 11; at >= 4; at--) {
    nonce[at] = rest;
    rest = Math.floor(rest / 256);
  }
  return nonce;
}

export const nodeAead: Aead = {
  seal(key, counter, associated, plaintext) {
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(counter));
    cipher.setAAD(associated);
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
    sealed.set(cipher.update(plaintext));
    cipher.final();
    sealed.set(cipher.getAuthTag(), plaintext.length);
    return sealed;
  },
  open(key, counter, associated, sealed) {
    if (sealed.length < TAG_BYTES) return null;
    const cut = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(counter));
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(cut));
    const opened = decipher.update(sealed.subarray(0, cut));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return new Uint8Array(opened.buffer, opened.byteOffset, opened.length);
  },
};

/** The keys of bulk as the runtime's WebCrypto wants them, for as long as they are in use. */
const imported = new WeakMap<Uint8Array, Promise<CryptoKey>>();

function importedKey(key: Uint8Array): Promise<CryptoKey> {
  let known = imported.get(key);
  if (!known) {
    const bytes = key as Uint8Array<ArrayBuffer>;
    known = crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    imported.set(key, known);
  }
  return known;
}

/** As `nodeAead.seal` without associated data, by WebCrypto: three times as fast where it is much. */
export async function sealBulk(
  key: Uint8Array,
  counter: number,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  const iv = nonceOf(counter) as Uint8Array<ArrayBuffer>;
  const bytes = plaintext as Uint8Array<ArrayBuffer>;
  const cryptoKey = await importedKey(key);
  return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, cryptoKey, bytes));
}

/** As `nodeAead.open` without associated data, by WebCrypto. */
export async function openBulk(
  key: Uint8Array,
  counter: number,
  sealed: Uint8Array,
): Promise<Uint8Array | null> {
  const iv = nonceOf(counter) as Uint8Array<ArrayBuffer>;
  const bytes = sealed as Uint8Array<ArrayBuffer>;
  const cryptoKey = await importedKey(key);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, cryptoKey, bytes));
  } catch {
    return null;
  }
}

/** Does the machines' work with ML-KEM-768. */
export interface Kem {
  /** `webcrypto` or `noble`. */
  readonly provider: string;
  /** The key pair of 64 random bytes (FIPS 203's d and z). */
  fromSeed(seed: Uint8Array): Promise<{ publicKey: Uint8Array; secret: KemSecret }>;
  /** The answers, or `null` where a key or a ciphertext is malformed. */
  perform(operations: readonly KemOperation[]): Promise<KemAnswers>;
}

const ALGORITHM = "ML-KEM-768";

/** What TypeScript does not know of WebCrypto yet. */
interface KemSubtle {
  generateKey(name: string, extractable: boolean, usages: string[]): Promise<CryptoKeyPair>;
  importKey(
    format: string,
    data: BufferSource,
    name: string,
    extractable: boolean,
    usages: string[],
  ): Promise<CryptoKey>;
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>;
  getPublicKey?(key: CryptoKey, usages: string[]): Promise<CryptoKey>;
  encapsulateBits(
    name: string,
    key: CryptoKey,
  ): Promise<{ ciphertext: ArrayBuffer; sharedKey: ArrayBuffer }>;
  decapsulateBits(name: string, key: CryptoKey, ciphertext: BufferSource): Promise<ArrayBuffer>;
}

/** The fastest ML-KEM of this runtime. */
export async function createKem(): Promise<Kem> {
  const subtle = crypto.subtle as unknown as Partial<KemSubtle>;
  if (typeof subtle.encapsulateBits === "function") {
    try {
      const kem = webCryptoKem();
      await kem.perform([{ op: "keygen" }]);
      return kem;
    } catch {
      // It knows the function and not the algorithm.
    }
  }
  return await nobleKem();
}

export function webCryptoKem(): Kem {
  const subtle = crypto.subtle as unknown as KemSubtle;
  const importPublic = (key: Uint8Array) =>
    subtle.importKey("raw-public", key as BufferSource, ALGORITHM, false, ["encapsulateBits"]);
  const one = async (operation: KemOperation): Promise<KemAnswer> => {
    switch (operation.op) {
      case "keygen": {
        const pair = await subtle.generateKey(ALGORITHM, true, [
          "encapsulateBits",
          "decapsulateBits",
        ]);
        const publicKey = new Uint8Array(await subtle.exportKey("raw-public", pair.publicKey));
        return { publicKey, secret: pair.privateKey };
      }
      case "encapsulate": {
        if (operation.publicKey.length !== KEM_PUBLIC_BYTES) throw new TypeError("not a key");
        const key = await importPublic(operation.publicKey);
        const { ciphertext, sharedKey } = await subtle.encapsulateBits(ALGORITHM, key);
        return { ciphertext: new Uint8Array(ciphertext), shared: new Uint8Array(sharedKey) };
      }
      case "decapsulate": {
        const { secret, ciphertext } = operation;
        if (ciphertext.length !== KEM_CIPHERTEXT_BYTES) throw new TypeError("not a ciphertext");
        const shared = await subtle.decapsulateBits(
          ALGORITHM,
          secret as CryptoKey,
          ciphertext as BufferSource,
        );
        return { shared: new Uint8Array(shared) };
      }
      default:
        return operation satisfies never;
    }
  };
  return {
    provider: "webcrypto",
    async fromSeed(seed) {
      const usages = ["decapsulateBits"];
      const data = seed as BufferSource;
      const secret = await subtle.importKey("raw-seed", data, ALGORITHM, false, usages);
      const publicKey = await subtle.getPublicKey!(secret, ["encapsulateBits"]);
      return {
        publicKey: new Uint8Array(await subtle.exportKey("raw-public", publicKey)),
        secret,
      };
    },
    async perform(operations) {
      try {
        return await Promise.all(operations.map(one));
      } catch (error) {
        if (error instanceof DOMException || error instanceof TypeError) return null;
        throw error;
      }
    },
  };
}

/** About five times slower, and loaded only where it is needed. */
export async function nobleKem(): Promise<Kem> {
  const { ml_kem768 } = await import("@noble/post-quantum/ml-kem.js");
  const one = (operation: KemOperation): KemAnswer => {
    switch (operation.op) {
      case "keygen": {
        const { publicKey, secretKey } = ml_kem768.keygen();
        return { publicKey, secret: secretKey };
      }
      case "encapsulate": {
        const { cipherText, sharedSecret } = ml_kem768.encapsulate(operation.publicKey);
        return { ciphertext: cipherText, shared: sharedSecret };
      }
      case "decapsulate": {
        const { secret, ciphertext } = operation;
        return { shared: ml_kem768.decapsulate(ciphertext, secret as Uint8Array) };
      }
      default:
        return operation satisfies never;
    }
  };
  return {
    provider: "noble",
    fromSeed(seed) {
      const { publicKey, secretKey } = ml_kem768.keygen(seed);
      return Promise.resolve({ publicKey, secret: secretKey });
    },
    perform(operations) {
      try {
        return Promise.resolve(operations.map(one));
      } catch (error) {
        if (error instanceof Error) return Promise.resolve(null);
        throw error;
      }
    },
  };
}
