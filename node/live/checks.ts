// Small questions to the world.

import type { Verifier } from "../../core/live/crypto.ts";
import type { LogRecord } from "../records.ts";

/** Why a record's signature does not count; `null` where it does. @param publicKey in base64 */
export async function refusalOf(
  verifier: Verifier,
  publicKey: string | null,
  record: LogRecord,
): Promise<string | null> {
  if (publicKey === null) return null;
  const key = Uint8Array.fromBase64(publicKey);
  const good = await verifier.verify(key, record.text, record.signatureHex);
  return good ? null : `record ${record.sequence} has a signature that does not verify`;
}

/** Says whether nobody listens on this port at this address, or at any of the machine's. */
export function isFree(port: number, hostname = "0.0.0.0"): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch {
    return false;
  }
}
