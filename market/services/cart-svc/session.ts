import { unauthorized } from "../../kit/problem.ts";

// A cart's session is `<id>.<mac>`: 128 random bits and their HMAC-SHA-256, both base64url. Who has
// it has the cart, as with a parking ticket; nobody can make one up, so carts need no row to exist.

const ID_BYTES = 16;
const FORM = /^([\w-]{22})\.([\w-]{43})$/;
const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;

export interface CartSessions {
  issue(): Promise<string>;
  /** The id of a session's cart; throws the 401 when the session is not one of ours. */
  open(session: string): Promise<{ session: string; cart: string }>;
}

/** Creates the sessions from a secret that all replicas share. */
export async function createCartSessions(secret: Uint8Array<ArrayBuffer>): Promise<CartSessions> {
  const key = await crypto.subtle.importKey(
    "raw",
    secret,
    { name: "HMAC", hash: "SHA-256" },
    false,
    [
      "sign",
      "verify",
    ],
  );
  const encoder = new TextEncoder();
  return {
    async issue() {
      const id = crypto.getRandomValues(new Uint8Array(ID_BYTES)).toBase64(BASE64URL);
      const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(id)));
      return `${id}.${mac.toBase64(BASE64URL)}`;
    },
    async open(session) {
      const [, cart = "", mac = ""] = session.match(FORM) ?? [];
      const forged = unauthorized(
        "session",
        "this is not a cart's session; POST /session makes one",
      );
      if (!cart) throw forged;
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = Uint8Array.fromBase64(mac, { alphabet: "base64url" });
      } catch {
        throw forged;
      }
      if (!await crypto.subtle.verify("HMAC", key, bytes, encoder.encode(cart))) throw forged;
      return { session, cart };
    },
  };
}
