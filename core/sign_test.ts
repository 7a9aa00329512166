import { assert, assertEquals } from "@std/assert";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { fromHex } from "./bytes.ts";
import { createVerifier, nobleVerifier, type Verifier } from "./live/crypto.ts";
import { keyPairFromSeed, publicKeyOf, sign, verify } from "./sign.ts";
import { fingerprint, inTime, replayKey } from "./signed.ts";
import { formatSigned, parseSigned, SIGNATURE_HEX } from "./wire.ts";

interface Vectors {
  readonly public_key_hex: string;
  readonly secret_key_hex: string;
  readonly cases: readonly {
    readonly command: string;
    readonly ts: number;
    readonly signed: string;
  }[];
}

const vectors: Vectors = JSON.parse(
  await Deno.readTextFile(new URL("../tests/vectors/signed-commands.json", import.meta.url)),
);
const publicKey = fromHex(vectors.public_key_hex)!;
const secretKey = fromHex(vectors.secret_key_hex)!;
const native = await createVerifier();
const verifiers: Verifier[] = [
  await nobleVerifier(),
  ...(native.provider === "noble" ? [] : [native]),
];

/** One bit of the text's character is turned over. */
function flipped(text: string, at: number): string {
  const unit = String.fromCharCode(text.charCodeAt(at) ^ 1);
  return text.slice(0, at) + unit + text.slice(at + 1);
}

for (const verifier of verifiers) {
  Deno.test(`${verifier.provider} verifies every command that liboqs signed`, async () => {
    for (const { command, ts, signed } of vectors.cases) {
      const parsed = parseSigned(signed);
      assert(parsed, command);
      assertEquals([parsed.command, parsed.unixS], [command, ts]);
      assert(await verifier.verify(publicKey, parsed.text, parsed.signatureHex), command);
    }
  });

  Deno.test(`${verifier.provider} refuses a command altered in any field`, async () => {
    for (const { command, signed } of vectors.cases) {
      const { text, signatureHex, unixS } = parseSigned(signed)!;
      const tampered: [string, string][] = [
        [flipped(text, 0), signatureHex],
        [flipped(text, command.length - 1), signatureHex],
        [`${command}|${unixS + 1}`, signatureHex],
        [`${command} |${unixS}`, signatureHex],
        [text, flipped(signatureHex, 0)],
        [text, flipped(signatureHex, SIGNATURE_HEX >> 1)],
        [text, flipped(signatureHex, SIGNATURE_HEX - 1)],
      ];
      for (const [alteredText, alteredSignature] of tampered) {
        assert(!await verifier.verify(publicKey, alteredText, alteredSignature), command);
      }
      const other = publicKey.slice();
      other[100] = other[100]! ^ 1;
      assert(!await verifier.verify(other, text, signatureHex), "another key");
    }
  });

  Deno.test(`${verifier.provider} refuses keys and signatures of any other length`, async () => {
    const { text, signatureHex } = parseSigned(vectors.cases[0]!.signed)!;
    assert(!await verifier.verify(publicKey.slice(1), text, signatureHex));
    assert(!await verifier.verify(new Uint8Array(0), text, signatureHex));
    assert(!await verifier.verify(publicKey, text, signatureHex.slice(2)));
    assert(!await verifier.verify(publicKey, text, `${signatureHex}00`));
    assert(!await verifier.verify(publicKey, text, "zz".repeat(3309)));
  });
}

Deno.test("both providers are tested where the runtime's WebCrypto knows ML-DSA-65", () => {
  const major = Number(Deno.version.deno.split(".")[0]);
  const minor = Number(Deno.version.deno.split(".")[1]);
  if (major > 2 || minor >= 9) assertEquals(native.provider, "webcrypto");
});

Deno.test("sign() makes what liboqs made where both are deterministic, and always what verifies", () => {
  const text = "APPLY|x|1795177690";
  assert(verify(publicKey, text, sign(secretKey, text)));
  const entropy = crypto.getRandomValues(new Uint8Array(32));
  assert(verify(publicKey, text, sign(secretKey, text, entropy)));
  assertEquals(publicKeyOf(secretKey).toHex(), vectors.public_key_hex);
});

Deno.test("inTime() allows 30 seconds either way and no more", () => {
  const unixS = 1_795_177_690;
  for (const offS of [-30, 0, 30]) assert(inTime({ unixS }, (unixS + offS) * 1000));
  for (const offS of [-31, 31, 288]) assert(!inTime({ unixS }, (unixS + offS) * 1000));
});

Deno.test("replayKey() is the same for upper-case hex and for another signature of the text", () => {
  const text = "EVICT|api|1795177690";
  const key = fingerprint(publicKey);
  const first = sign(secretKey, text);
  const second = sign(secretKey, text, new Uint8Array(32).fill(1));
  assert(first !== second);
  const marks = [first, first.toUpperCase(), second].map((signature) =>
    replayKey(parseSigned(formatSigned(text, signature))!, key)
  );
  assertEquals(new Set(marks).size, 1);
});

// ---- Vectors of Wycheproof and NIST ---------------------------------------------------------------

const corpora = Deno.env.get("CORPORA");

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg?: string;
      readonly ctx?: string;
      readonly sig: string;
      readonly result: "valid" | "invalid";
    }[];
  }[];
}

async function corpus<T>(path: string): Promise<T | null> {
  if (corpora === undefined) {
    console.log("not run: CORPORA is not set");
    return null;
  }
  return JSON.parse(await Deno.readTextFile(`${corpora}/${path}`));
}

Deno.test("Wycheproof's ML-DSA-65 verify vectors (CORPORA)", async () => {
  const file = await corpus<Wycheproof>("mldsa65-wycheproof/mldsa_65_verify_test.json");
  let judged = 0;
  for (const group of file?.testGroups ?? []) {
    for (const test of group.tests) {
      // Cases with a context, or with a message that was hashed before, are not our interface.
      if (test.msg === undefined || (test.ctx ?? "") !== "") continue;
      const message = fromHex(test.msg)!;
      judged++;
      for (const verifier of verifiers) {
        assertEquals(
          await verifier.verify(fromHex(group.publicKey)!, message, test.sig),
          test.result === "valid",
          `${verifier.provider}, case ${test.tcId}`,
        );
      }
    }
  }
  if (file) assert(judged > 100, `only ${judged} cases could be judged`);
});

interface Acvp {
  readonly tests: readonly Readonly<Record<string, string>>[];
}

Deno.test("NIST's ML-DSA-65 key generation vectors (CORPORA)", async () => {
  const file = await corpus<Acvp>("mldsa65-acvp/keygen.json");
  for (const test of file?.tests ?? []) {
    const pair = keyPairFromSeed(fromHex(test.seed!)!);
    assertEquals([pair.publicKey.toHex(), pair.secretKey.toHex()], [test.pk, test.sk]);
  }
  if (file) assertEquals(file.tests.length, 25);
});

// All of NIST's signatures carry a context, which our interface does not have: they judge the
// primitive underneath.
Deno.test("NIST's ML-DSA-65 signature vectors (CORPORA)", async () => {
  const made = await corpus<Acvp>("mldsa65-acvp/siggen-det.json");
  const given = await corpus<Acvp>("mldsa65-acvp/sigver.json");
  if (!made || !given) return;
  const external = (test: Acvp["tests"][number]) =>
    test.interface === "external" && test.preHash !== "preHash";
  let [signed, judged] = [0, 0];
  for (const test of made.tests.filter(external)) {
    const context = fromHex(test.context ?? "")!;
    const signature = ml_dsa65.sign(fromHex(test.message!)!, fromHex(test.sk!)!, {
      context,
      extraEntropy: false,
    });
    assertEquals(signature.toHex(), test.signature);
    signed++;
  }
  for (const test of given.tests.filter(external)) {
    const context = fromHex(test.context ?? "")!;
    const [signature, message] = [fromHex(test.signature!)!, fromHex(test.message!)!];
    const verified = ml_dsa65.verify(signature, message, fromHex(test.pk!)!, { context });
    assertEquals(String(verified), String(test.testPassed), `case ${test.tcId}`);
    judged++;
  }
  assertEquals([signed, judged], [15, 15]);
});

interface WycheproofSign {
  readonly testGroups: readonly {
    readonly privateSeed: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg?: string;
      readonly ctx?: string;
      readonly rnd?: string;
      readonly sig: string;
      readonly result: "valid" | "invalid";
    }[];
  }[];
}

Deno.test("Wycheproof's ML-DSA-65 sign vectors (CORPORA)", async () => {
  const path = "mldsa65-wycheproof/mldsa_65_sign_seed_test.json";
  const file = await corpus<WycheproofSign>(path);
  let made = 0;
  for (const group of file?.testGroups ?? []) {
    for (const test of group.tests) {
      if (test.msg === undefined || (test.ctx ?? "") !== "" || test.result !== "valid") continue;
      const { secretKey } = keyPairFromSeed(fromHex(group.privateSeed)!);
      const entropy = test.rnd === undefined ? undefined : fromHex(test.rnd)!;
      assertEquals(sign(secretKey, fromHex(test.msg)!, entropy), test.sig, `case ${test.tcId}`);
      made++;
    }
  }
  if (file) assert(made >= 30, `only ${made} cases could be judged`);
});
