/**
 * The handshake: pattern pqIK of PQNoise (Angel, Dowling, Hülsing, Schwabe, Weber, 2022), with
 * ML-KEM-768 for ephemeral and static keys.
 *
 * ```text
 * <- s
 * ...
 * -> skem, e, s
 * <- ekem, skem
 * ```
 *
 * The tokens do what they do there: `e` is sent plain and hashed, `s` encrypted and hashed; `ekem`
 * sends its ciphertext plain, hashes it and mixes its secret into the key; `skem` encrypts and
 * hashes its ciphertext, then mixes its secret into key and hash.
 *
 * Each side is a small object that is given the results of the KEM and hands out bytes. None of
 * them is changed by a message that turns out to be forged.
 */

import { toBytes } from "../bytes.ts";
import { concat, SymmetricState } from "./noise.ts";
import { type Aead, KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES, TAG_BYTES } from "./primitives.ts";

export const PROTOCOL = "Noise_pqIK_MLKEM768_AESGCM_SHA256";

/** What is said before anything else, so that no other use of these keys can be mistaken for this. */
const PROLOGUE = toBytes("skr8tr seal 1");

const STATIC_AT = KEM_CIPHERTEXT_BYTES + KEM_PUBLIC_BYTES;
const PAYLOAD_AT = STATIC_AT + KEM_PUBLIC_BYTES + TAG_BYTES;
/** Bytes of the messages with an empty payload. */
export const FIRST_BYTES = PAYLOAD_AT + TAG_BYTES;
const SECOND_PAYLOAD_AT = KEM_CIPHERTEXT_BYTES + KEM_CIPHERTEXT_BYTES + TAG_BYTES;
export const SECOND_BYTES = SECOND_PAYLOAD_AT + TAG_BYTES;

export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly shared: Uint8Array;
}

/** The keys of a session, as one side holds them. */
export interface SessionKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
  /** Hash of the handshake. */
  readonly hash: Uint8Array;
}

function begin(aead: Aead, responderStatic: Uint8Array): SymmetricState {
  const state = SymmetricState.begin(aead, PROTOCOL);
  state.mixHash(PROLOGUE);
  state.mixHash(responderStatic);
  return state;
}

/** The side that speaks first and knows the other's static key. */
export class Initiator {
  readonly #state: SymmetricState;

  private constructor(state: SymmetricState) {
    this.#state = state;
  }

  /**
   * Writes the first message.
   *
   * @param encapsulated to the responder's static key
   */
  static write(options: {
    readonly aead: Aead;
    readonly staticKey: Uint8Array;
    readonly responder: Uint8Array;
    readonly encapsulated: Encapsulated;
    readonly ephemeral: Uint8Array;
    readonly payload: Uint8Array;
  }): { readonly handshake: Initiator; readonly message: Uint8Array } {
    const { aead, staticKey, responder, encapsulated, ephemeral, payload } = options;
    const state = begin(aead, responder);
    const ciphertext = state.encryptAndHash(encapsulated.ciphertext);
    state.mixKeyAndHash(encapsulated.shared);
    state.mixHash(ephemeral);
    const sealedStatic = state.encryptAndHash(staticKey);
    const sealedPayload = state.encryptAndHash(payload);
    return {
      handshake: new Initiator(state),
      message: concat(ciphertext, ephemeral, sealedStatic, sealedPayload),
    };
  }

  /** The ciphertext of the second message that was made for the ephemeral key. */
  static ephemeralOf(message: Uint8Array): Uint8Array | null {
    return message.length < SECOND_BYTES ? null : message.subarray(0, KEM_CIPHERTEXT_BYTES);
  }

  /**
   * Reads on with the secret of the ephemeral ciphertext: the ciphertext for our static key, and
   * what `finish` needs; `null` where the message is forged.
   */
  read(
    message: Uint8Array,
    shared: Uint8Array,
  ): { readonly ciphertext: Uint8Array; finish(shared: Uint8Array): Finished | null } | null {
    const state = this.#state.copy();
    state.mixHash(message.subarray(0, KEM_CIPHERTEXT_BYTES));
    state.mixKey(shared);
    const ciphertext = state.decryptAndHash(
      message.subarray(KEM_CIPHERTEXT_BYTES, SECOND_PAYLOAD_AT),
    );
    if (ciphertext === null) return null;
    return {
      ciphertext,
      finish(own) {
        state.mixKeyAndHash(own);
        const payload = state.decryptAndHash(message.subarray(SECOND_PAYLOAD_AT));
        if (payload === null) return null;
        const [send, receive] = state.split();
        return { keys: { send, receive, hash: state.hash }, payload };
      },
    };
  }
}

/** The end of a handshake. */
export interface Finished {
  readonly keys: SessionKeys;
  readonly payload: Uint8Array;
}

/** The side that is spoken to. */
export class Responder {
  readonly #state: SymmetricState;

  private constructor(
    state: SymmetricState,
    /** The initiator's keys, and what it said in its first message. */
    readonly ephemeral: Uint8Array,
    readonly staticKey: Uint8Array,
    readonly payload: Uint8Array,
  ) {
    this.#state = state;
  }

  /** The ciphertext of a first message that was made for our static key. */
  static ciphertextOf(message: Uint8Array): Uint8Array | null {
    return message.length < FIRST_BYTES ? null : message.subarray(0, KEM_CIPHERTEXT_BYTES);
  }

  /** Reads a first message; `null` where it is forged. */
  static read(options: {
    readonly aead: Aead;
    readonly staticKey: Uint8Array;
    readonly message: Uint8Array;
    readonly shared: Uint8Array;
  }): Responder | null {
    const { aead, staticKey, message, shared } = options;
    const state = begin(aead, staticKey);
    state.mixHash(message.subarray(0, KEM_CIPHERTEXT_BYTES));
    state.mixKeyAndHash(shared);
    const ephemeral = message.slice(KEM_CIPHERTEXT_BYTES, STATIC_AT);
    state.mixHash(ephemeral);
    const initiator = state.decryptAndHash(message.subarray(STATIC_AT, PAYLOAD_AT));
    if (initiator === null) return null;
    const payload = state.decryptAndHash(message.subarray(PAYLOAD_AT));
    return payload === null ? null : new Responder(state, ephemeral, initiator, payload);
  }

  /** Writes the second message. */
  write(options: {
    readonly toEphemeral: Encapsulated;
    readonly toStatic: Encapsulated;
    readonly payload: Uint8Array;
  }): { readonly message: Uint8Array; readonly keys: SessionKeys } {
    const { toEphemeral, toStatic, payload } = options;
    const state = this.#state.copy();
    state.mixHash(toEphemeral.ciphertext);
    state.mixKey(toEphemeral.shared);
    const sealed = state.encryptAndHash(toStatic.ciphertext);
    state.mixKeyAndHash(toStatic.shared);
    const sealedPayload = state.encryptAndHash(payload);
    const [receive, send] = state.split();
    return {
      message: concat(toEphemeral.ciphertext, sealed, sealedPayload),
      keys: { send, receive, hash: state.hash },
    };
  }
}
