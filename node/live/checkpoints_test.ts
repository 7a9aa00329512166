import { assertEquals } from "@std/assert";
import { type Checkpoint, checkpointText } from "../../core/audit.ts";
import { createVerifier } from "../../core/live/crypto.ts";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import { CheckpointKeeper } from "./checkpoints.ts";

const [own, other] = [1, 2].map((seed) => keyPairFromSeed(new Uint8Array(32).fill(seed)));

function checkpoint(keys: NonNullable<typeof own>, sequence: number): Checkpoint {
  const about = { log: "a".repeat(64), sequence, hash: "b".repeat(64), wallMs: 1 };
  const signatureHex = sign(keys.secretKey, checkpointText(about));
  return { ...about, publicKey: keys.publicKey.toBase64(), signatureHex };
}

Deno.test("a node keeps checkpoints of the conductor that let it in, and of nobody else", async () => {
  const kept: number[] = [];
  const verifier = await createVerifier();
  const keep = ({ sequence }: Checkpoint) => void kept.push(sequence);
  const pinned = fingerprint(own!.publicKey);
  const keeper = new CheckpointKeeper({ verifier, conductor: () => pinned, keep });
  await keeper.take(checkpoint(own!, 1));
  await keeper.take(checkpoint(other!, 2));
  await keeper.take({ ...checkpoint(own!, 3), sequence: 4 });
  await keeper.take({ ...checkpoint(own!, 3), publicKey: "=".repeat(2_604) });
  assertEquals(kept, [1]);
  const open = new CheckpointKeeper({ verifier, conductor: () => null, keep });
  await open.take(checkpoint(other!, 5));
  await open.take({ ...checkpoint(other!, 6), hash: "c".repeat(64) });
  assertEquals(kept, [1, 5]);
});
