import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { BoxKeyFile, boxKeys, open, openBoxKeys, seal } from "./box.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("open() gives back what seal() sealed, only to its keys and in its context", async () => {
  const keys = await boxKeys(new Uint8Array(64).fill(1));
  const others = await boxKeys(new Uint8Array(64).fill(2));
  for (const text of ["", "x", "päss word\n".repeat(5_000)]) {
    const box = (await seal(keys.publicKey, bytes(text), "shop/token"))!;
    assertEquals(await open(keys, box, "shop/token"), bytes(text));
    assertEquals(await open(keys, box, "shop/other"), null);
    assertEquals(await open(others, box, "shop/token"), null);
  }
});

Deno.test("the same text is never sealed to the same box", async () => {
  const { publicKey } = await boxKeys(new Uint8Array(64).fill(1));
  const [one, two] = await Promise.all([1, 2].map(() => seal(publicKey, bytes("same"), "c")));
  assertNotEquals(one, two);
});

Deno.test("a box of which one bit was turned, or a part cut off, does not open", async () => {
  const keys = await boxKeys(new Uint8Array(64).fill(1));
  const box = Uint8Array.fromBase64((await seal(keys.publicKey, bytes("secret"), "c"))!);
  const places = [0, 1, 500, 1_088, 1_089, 1_094, box.length - 1];
  for (const at of places) {
    const turned = box.slice();
    turned[at]! ^= 1;
    assertEquals(await open(keys, turned.toBase64(), "c"), null, `bit in byte ${at}`);
  }
  for (const size of [0, 1, 1_088, 1_089, box.length - 1]) {
    assertEquals(await open(keys, box.slice(0, size).toBase64(), "c"), null, `${size} bytes`);
  }
  assertEquals(await open(keys, "no base64!", "c"), null);
  assertEquals(await seal(new Uint8Array(3), bytes("x"), "c"), null);
});

Deno.test("what could not be kept once is tried again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = new BoxKeyFile(`${folder}/state/secret.key`);
    await assertRejects(() => file.open(), Deno.errors.NotFound);
    await Deno.mkdir(`${folder}/state`);
    const { publicKey } = await file.open();
    assertEquals((await file.open()).publicKey, publicKey);
    assertEquals((await openBoxKeys(`${folder}/state/secret.key`)).publicKey, publicKey);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openBoxKeys() keeps its seed where only its owner reads it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/secret.key`;
    const first = await openBoxKeys(path);
    const again = await openBoxKeys(path);
    assertEquals(again.publicKey, first.publicKey);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
