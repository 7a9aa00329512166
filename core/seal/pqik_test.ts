import { assert, assertEquals } from "@std/assert";
import { createCipheriv, createHash, createHmac } from "node:crypto";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { nodeAead } from "../live/seal_primitives.ts";
import { concat } from "./noise.ts";
import { FIRST_BYTES, Initiator, PROTOCOL, Responder, SECOND_BYTES } from "./pqik.ts";

const of = (byte: number, length: number) => new Uint8Array(length).fill(byte);
const text = (words: string) => new TextEncoder().encode(words);

/** A handshake of which everything is known: all chance is one repeated byte. */
function known() {
  const responder = ml_kem768.keygen(of(1, 64));
  const initiator = ml_kem768.keygen(of(2, 64));
  const ephemeral = ml_kem768.keygen(of(3, 64));
  const enc = (key: Uint8Array, byte: number) => {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(key, of(byte, 32));
    return { ciphertext: cipherText, shared: sharedSecret };
  };
  return {
    responder,
    initiator,
    ephemeral,
    toResponder: enc(responder.publicKey, 4),
    toEphemeral: enc(ephemeral.publicKey, 5),
    toInitiator: enc(initiator.publicKey, 6),
  };
}

function run() {
  const all = known();
  const aead = nodeAead;
  const { handshake, message: first } = Initiator.write({
    aead,
    staticKey: all.initiator.publicKey,
    responder: all.responder.publicKey,
    encapsulated: all.toResponder,
    ephemeral: all.ephemeral.publicKey,
    payload: text("first"),
  });
  const shared = ml_kem768.decapsulate(
    Responder.ciphertextOf(first)!,
    all.responder.secretKey,
  );
  const staticKey = all.responder.publicKey;
  const responder = Responder.read({ aead, staticKey, message: first, shared })!;
  const { message: second, keys } = responder.write({
    toEphemeral: all.toEphemeral,
    toStatic: all.toInitiator,
    payload: text("second"),
  });
  const read = handshake.read(
    second,
    ml_kem768.decapsulate(Initiator.ephemeralOf(second)!, all.ephemeral.secretKey),
  )!;
  const finished = read.finish(
    ml_kem768.decapsulate(read.ciphertext, all.initiator.secretKey),
  )!;
  return { all, handshake, first, second, responder, responderKeys: keys, finished };
}

Deno.test("pqIK: both sides have the same keys and know each other", () => {
  const { all, responder, responderKeys, finished, first, second } = run();
  assertEquals(responder.staticKey, all.initiator.publicKey);
  assertEquals(new TextDecoder().decode(responder.payload), "first");
  assertEquals(new TextDecoder().decode(finished.payload), "second");
  assertEquals(finished.keys.send, responderKeys.receive);
  assertEquals(finished.keys.receive, responderKeys.send);
  assertEquals(finished.keys.hash, responderKeys.hash);
  assertEquals([first.length, second.length], [FIRST_BYTES + 5, SECOND_BYTES + 6]);
});

Deno.test("pqIK: the known answer, as another implementation of its tokens works it out", () => {
  const { all, first, second, finished } = run();
  // Written from the pattern and Noise's rules again, on node:crypto alone.
  const sha = (...parts: Uint8Array[]) =>
    new Uint8Array(createHash("sha256").update(concat(...parts)).digest());
  const mac = (key: Uint8Array, data: Uint8Array) =>
    new Uint8Array(createHmac("sha256", key).update(data).digest());
  let ck = sha(text(PROTOCOL));
  let h = sha(sha(ck, text("skr8tr seal 1")), all.responder.publicKey);
  let k = new Uint8Array();
  let n = 0;
  const derive = (input: Uint8Array, count: number) => {
    const temporary = mac(ck, input);
    const out = [mac(temporary, of(1, 1))];
    for (let at = 2; at <= count; at++) {
      out.push(mac(temporary, concat(out.at(-1)!, of(at, 1))));
    }
    return out;
  };
  const mixKey = (shared: Uint8Array) => {
    [ck, k] = derive(shared, 2) as [typeof ck, typeof k];
    n = 0;
  };
  const mixKeyAndHash = (shared: Uint8Array) => {
    const [next, hash, key] = derive(shared, 3);
    [ck, h, k, n] = [next!, sha(h, hash!), key!, 0];
  };
  const seal = (plain: Uint8Array) => {
    const nonce = new Uint8Array(12);
    nonce[11] = n++;
    const cipher = createCipheriv("aes-256-gcm", k, nonce);
    cipher.setAAD(h);
    const body = new Uint8Array(cipher.update(plain));
    cipher.final();
    const sealed = concat(body, new Uint8Array(cipher.getAuthTag()));
    h = sha(h, sealed);
    return sealed;
  };
  // -> skem, e, s
  h = sha(h, all.toResponder.ciphertext);
  mixKeyAndHash(all.toResponder.shared);
  h = sha(h, all.ephemeral.publicKey);
  const s = seal(all.initiator.publicKey);
  const firstPayload = seal(text("first"));
  assertEquals(
    first,
    concat(all.toResponder.ciphertext, all.ephemeral.publicKey, s, firstPayload),
  );
  // <- ekem, skem
  h = sha(h, all.toEphemeral.ciphertext);
  mixKey(all.toEphemeral.shared);
  const skem = seal(all.toInitiator.ciphertext);
  mixKeyAndHash(all.toInitiator.shared);
  const secondPayload = seal(text("second"));
  assertEquals(second, concat(all.toEphemeral.ciphertext, skem, secondPayload));
  const [initiatorKey, responderKey] = derive(new Uint8Array(), 2);
  assertEquals(finished.keys, { send: initiatorKey!, receive: responderKey!, hash: h });
});

Deno.test("pqIK: the known answer does not change from one version to the next", () => {
  const { first, second, finished } = run();
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  assertEquals({
    first: digest(first),
    second: digest(second),
    send: finished.keys.send.toHex(),
    receive: finished.keys.receive.toHex(),
    hash: finished.keys.hash.toHex(),
  }, KNOWN);
});

Deno.test("pqIK: an altered byte anywhere is found out, and the true message still taken after it", () => {
  const { all, handshake, first, second } = run();
  const staticKey = all.responder.publicKey;
  for (let at = 0; at < first.length; at += 97) {
    const message = first.slice();
    message[at]! ^= 1;
    const shared = ml_kem768.decapsulate(Responder.ciphertextOf(message)!, all.responder.secretKey);
    assertEquals(Responder.read({ aead: nodeAead, staticKey, message, shared }), null);
  }
  const finish = (message: Uint8Array) => {
    const secret = all.ephemeral.secretKey;
    const read = handshake.read(
      message,
      ml_kem768.decapsulate(Initiator.ephemeralOf(message)!, secret),
    );
    return read?.finish(ml_kem768.decapsulate(read.ciphertext, all.initiator.secretKey)) ?? null;
  };
  for (let at = 0; at < second.length; at += 97) {
    const message = second.slice();
    message[at]! ^= 1;
    assertEquals(finish(message), null, `byte ${at}`);
  }
  assert(finish(second) !== null);
});

const KNOWN = {
  first: "b2aaa7b9b256f64808c982217e5f4742a7b605d3c5e14588ccc984af8677d8c8",
  second: "d0851f8a71dbe8a91aa465e121b0c4c2a02aae6e4e474f02af04e76b4d73cc84",
  send: "f281289c69c9913704240e6a52f6ee6fcd60000544019c9884ecee2111296b84",
  receive: "56f9a792ea08844a8b0a3dbc0017747b3a78592b8e69b15accf1f5c63a643463",
  hash: "ae05dbd643a762a2929651f39404e915bb60df6af86745061b216d71c843a6b5",
};
