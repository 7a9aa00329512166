// What the sealed mesh needs of the world: ciphers, key encapsulation, chance. All is handed in, so
// that the machines stay pure; core/live/seal_primitives.ts has the real ones.

/** Bytes of ML-KEM-768 (FIPS 203). */
export const KEM_PUBLIC_BYTES = 1_184;
export const KEM_CIPHERTEXT_BYTES = 1_088;
export const KEM_SEED_BYTES = 64;
/** What AES-256-GCM adds to a text. */
export const TAG_BYTES = 16;

/** AES-256-GCM with the nonce that Noise gives it: four zero bytes, then the counter, big-endian. */
export interface Aead {
  /** The text encrypted, and its tag behind it. */
  seal(
    key: Uint8Array,
    counter: number,
    associated: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array;
  /** The text, or `null` where one bit of anything is not as it was sealed. */
  open(
    key: Uint8Array,
    counter: number,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | null;
}

/** A secret of ML-KEM as its provider holds it; nobody else looks inside. */
export type KemSecret = unknown;

/**
 * Work with ML-KEM-768. The machines do not do it themselves: the runtime's fast implementation
 * answers later, by a promise.
 */
export type KemOperation =
  | { readonly op: "keygen" }
  | { readonly op: "encapsulate"; readonly publicKey: Uint8Array }
  | { readonly op: "decapsulate"; readonly secret: KemSecret; readonly ciphertext: Uint8Array };

export type KemAnswer =
  | { readonly publicKey: Uint8Array; readonly secret: KemSecret }
  | { readonly ciphertext: Uint8Array; readonly shared: Uint8Array }
  | { readonly shared: Uint8Array };

/** The answers to a batch of operations, in their order; `null` if one of them was refused. */
export type KemAnswers = readonly KemAnswer[] | null;

/** A peer's part in the cluster. */
export const ROLES = ["conductor", "tower", "node", "ingress", "operator"] as const;
export type Role = (typeof ROLES)[number];

/** Who has proved to be at the other end. */
export interface Peer {
  readonly role: Role;
  readonly name: string;
  /** What names the peer: hex SHA-256 of its identity's public key (ML-DSA-65). */
  readonly identity: string;
  /** Of a node: its id, 32 hex characters. */
  readonly node?: string;
}
