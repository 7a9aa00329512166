import { assert, assertEquals } from "@std/assert";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { fromHex } from "../bytes.ts";
import { createKem, type Kem, nobleKem, nodeAead } from "./seal_primitives.ts";

const native = await createKem();
const kems: Kem[] = [await nobleKem(), ...(native.provider === "noble" ? [] : [native])];
const folder = Deno.env.get("CORPORA");
const hex = (text: string) => fromHex(text)!;

interface Case {
  readonly tcId: number;
  readonly seed?: string;
  readonly d?: string;
  readonly z?: string;
  readonly m?: string;
  readonly ek: string;
  readonly c: string;
  readonly K: string;
  readonly k?: string;
  readonly result?: string;
  readonly function?: string;
}

async function cases(file: string): Promise<Case[] | null> {
  if (folder === undefined) {
    console.log("not run: CORPORA is not set");
    return null;
  }
  const { tests, testGroups } = JSON.parse(await Deno.readTextFile(`${folder}/mlkem768/${file}`));
  return tests ?? testGroups.flatMap((group: { tests: Case[] }) => group.tests);
}

for (const kem of kems) {
  Deno.test(`${kem.provider}: NIST's ML-KEM-768 key generation vectors (CORPORA)`, async () => {
    for (const { d, z, ek, tcId } of await cases("acvp_keygen.json") ?? []) {
      const { publicKey } = await kem.fromSeed(hex(d! + z!));
      assertEquals(publicKey.toHex(), ek.toLowerCase(), `case ${tcId}`);
    }
  });

  Deno.test(`${kem.provider}: Wycheproof's ML-KEM-768 vectors (CORPORA)`, async () => {
    const all = await cases("mlkem_768_test.json");
    for (const { seed, ek, c, K, result, tcId } of all ?? []) {
      const made = seed?.length === 128 ? await kem.fromSeed(hex(seed)) : null;
      if (made === null) continue;
      if (ek) assertEquals(made.publicKey.toHex(), ek, `case ${tcId}`);
      const ciphertext = hex(c);
      const answers = await kem.perform([{ op: "decapsulate", secret: made.secret, ciphertext }]);
      const shared = answers?.[0] && "shared" in answers[0] ? answers[0].shared.toHex() : null;
      if (result === "valid") assertEquals(shared, K, `case ${tcId}`);
      else assert(shared === null || shared !== K, `case ${tcId}`);
    }
    assert(all === null || all.length > 150);
  });

  Deno.test(`${kem.provider}: keys out of range are refused, as Wycheproof has them (CORPORA)`, async () => {
    const all = await cases("mlkem_768_encaps_test.json");
    for (const { ek, result, tcId } of all ?? []) {
      const answers = await kem.perform([{ op: "encapsulate", publicKey: hex(ek) }]);
      assertEquals(answers !== null, result === "valid", `case ${tcId}`);
    }
  });
}

Deno.test("NIST's and Wycheproof's ML-KEM-768 encapsulation vectors (CORPORA)", async () => {
  const nist = (await cases("acvp_encapdecap.json"))
    ?.filter((each) => each.function === "encapsulation") ?? [];
  const wycheproof = (await cases("mlkem_768_encaps_test.json"))
    ?.filter((each) => each.result === "valid") ?? [];
  for (const { ek, m, c, K, k, tcId } of [...nist, ...wycheproof]) {
    const made = ml_kem768.encapsulate(hex(ek), hex(m!));
    assertEquals(made.cipherText.toHex(), c.toLowerCase(), `case ${tcId}`);
    assertEquals(made.sharedSecret.toHex(), (K ?? k!).toLowerCase(), `case ${tcId}`);
  }
  assertEquals(
    [nist.length, wycheproof.length],
    folder === undefined ? [0, 0] : [25, wycheproof.length],
  );
  assert(folder === undefined || wycheproof.length > 50, String(wycheproof.length));
});

Deno.test("the providers of ML-KEM-768 understand each other", async () => {
  const seed = crypto.getRandomValues(new Uint8Array(64));
  for (const one of kems) {
    for (const other of kems) {
      const { publicKey, secret } = await one.fromSeed(seed);
      assertEquals((await other.fromSeed(seed)).publicKey, publicKey);
      const [made] = (await other.perform([{ op: "encapsulate", publicKey }]))!;
      assert("ciphertext" in made! && "shared" in made);
      const { ciphertext } = made;
      const [opened] = (await one.perform([{ op: "decapsulate", secret, ciphertext }]))!;
      assert("shared" in opened!);
      assertEquals(opened.shared, made.shared);
    }
  }
});

Deno.test("a malformed key or ciphertext is refused, not thrown", async () => {
  for (const kem of kems) {
    const { secret } = await kem.fromSeed(new Uint8Array(64));
    const bad = new Uint8Array(10);
    assertEquals(await kem.perform([{ op: "encapsulate", publicKey: bad }]), null);
    assertEquals(await kem.perform([{ op: "decapsulate", secret, ciphertext: bad }]), null);
  }
});

Deno.test("nodeAead: AES-256-GCM with Noise's nonce (GCM specification, test case 14)", () => {
  const zero = new Uint8Array(32);
  const sealed = nodeAead.seal(zero, 0, new Uint8Array(), new Uint8Array(16));
  assertEquals(
    sealed.toHex(),
    "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
  );
  assertEquals(nodeAead.open(zero, 0, new Uint8Array(), sealed), new Uint8Array(16));
  for (const at of [0, 15, 16, 31]) {
    const altered = sealed.slice();
    altered[at]! ^= 0x80;
    assertEquals(nodeAead.open(zero, 0, new Uint8Array(), altered), null);
  }
  assertEquals(nodeAead.open(zero, 1, new Uint8Array(), sealed), null);
  assertEquals(nodeAead.open(zero, 0, new Uint8Array(1), sealed), null);
  assertEquals(nodeAead.open(zero, 2 ** 32, new Uint8Array(), sealed), null);
  assertEquals(nodeAead.open(zero, 0, new Uint8Array(), new Uint8Array(15)), null);
});
