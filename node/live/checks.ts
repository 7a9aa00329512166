// Small questions to the world.

import type { Verifier } from "../../core/live/crypto.ts";
import type { LogRecord } from "../records.ts";

/** Why a record does not count; `null` where it does. */
export async function refusalOf(
  verifier: Verifier,
  keys: ReadonlyMap<string, Uint8Array>,
  record: LogRecord,
): Promise<string | null> {
  if (keys.size === 0) return null;
  const key = keys.get(record.key);
  if (!key) {
    return `record ${record.sequence} is signed by a key (${record.key.slice(0, 16)}) ` +
      `that this node was not given`;
  }
  const good = await verifier.verify(key, record.text, record.signatureHex);
  return good ? null : `record ${record.sequence} has a signature that does not verify`;
}

/** Says whether nobody listens on this port at any of the machine's addresses. */
export function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "0.0.0.0", port }).close();
    return true;
  } catch {
    return false;
  }
}
