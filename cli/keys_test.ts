import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { publicKeyOf, verify } from "../core/sign.ts";
import { makeKeys, openSigner, seedPathOf } from "./keys.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-keys-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  return await assertRejects(() => promise, Failure) as Failure;
}

const mode = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("makeKeys() writes keys of the right sizes and modes, which belong together", async () => {
  await inFolder(async (folder) => {
    const secret = `${folder}/home/.skr8tr/signing.sec`;
    const keys = await makeKeys(secret, `${folder}/skrtrview.pub`);
    const [publicKey, secretKey] = [
      await Deno.readFile(keys.publicPath),
      await Deno.readFile(keys.secretPath),
    ];
    assertEquals([publicKey.length, secretKey.length], [1_952, 4_032]);
    assertEquals(publicKeyOf(secretKey), publicKey);
    assertEquals(await mode(secret), 0o600);
    assertEquals(await mode(seedPathOf(secret)), 0o600);
    assertEquals(await mode(`${folder}/home/.skr8tr`), 0o700);
  });
});

Deno.test("makeKeys() overwrites nothing, and leaves nothing half done", async () => {
  await inFolder(async (folder) => {
    const [secret, open] = [`${folder}/keys/signing.sec`, `${folder}/skrtrview.pub`];
    await makeKeys(secret, open);
    const before = await Deno.readFile(secret);
    for (const [to, pub] of [[secret, `${folder}/other.pub`], [`${folder}/other.sec`, open]]) {
      const error = await failure(makeKeys(to!, pub!));
      assertEquals(error.code, "exists");
      assertStringIncludes(error.message, "never overwritten");
    }
    assertEquals(await Deno.readFile(secret), before);
    const error = await failure(makeKeys(`${folder}/more/a.sec`, `${folder}/no/such/a.pub`));
    assertEquals(error.code, "cannot-write");
    assertEquals([...Deno.readDirSync(`${folder}/more`)], []);
  });
});

Deno.test("openSigner() signs the same with seed and without", async () => {
  await inFolder(async (folder) => {
    const { secretPath, publicPath } = await makeKeys(`${folder}/signing.sec`, `${folder}/a.pub`);
    const publicKey = await Deno.readFile(publicPath);
    const fast = await openSigner(secretPath);
    assertEquals(fast.provider, "webcrypto");
    assert(verify(publicKey, "DOWN|x|1", await fast.sign("DOWN|x|1")));
    await Deno.remove(seedPathOf(secretPath));
    const slow = await openSigner(secretPath);
    assertEquals(slow.provider, "noble");
    assert(verify(publicKey, "DOWN|x|1", await slow.sign("DOWN|x|1")));
  });
});

Deno.test("openSigner() refuses a key or a seed that others can read", async () => {
  await inFolder(async (folder) => {
    const { secretPath } = await makeKeys(`${folder}/signing.sec`, `${folder}/a.pub`);
    for (const path of [secretPath, seedPathOf(secretPath)]) {
      for (const open of [0o640, 0o604, 0o660, 0o610]) {
        await Deno.chmod(path, open);
        const error = await failure(openSigner(secretPath));
        assertEquals(error.code, "key-exposed");
        assertStringIncludes(error.message, `chmod 600 ${path}`);
      }
      await Deno.chmod(path, 0o400);
      await openSigner(secretPath);
    }
  });
});

Deno.test("openSigner() refuses what is missing, damaged or of another key", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/signing.sec`;
    assertEquals((await failure(openSigner(path))).code, "no-key");
    await makeKeys(path, `${folder}/a.pub`);
    const other = await makeKeys(`${folder}/other.sec`, `${folder}/b.pub`);
    await Deno.copyFile(seedPathOf(other.secretPath), seedPathOf(path));
    const mixed = await failure(openSigner(path));
    assertStringIncludes(mixed.message, "is not the seed of");
    await Deno.truncate(path, 4_000);
    const cut = await failure(openSigner(path));
    assertStringIncludes(cut.message, "4000 bytes, not 4032");
    assertEquals((await failure(openSigner(folder))).code, "bad-key");
  });
});
