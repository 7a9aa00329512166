// Secrets that manifests name and the store does not have yet: made here, as an operator would.

import { Failure } from "../../core/errors.ts";
import { seal } from "../../core/live/box.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { secretKey, secretUseOf, storeContext } from "../../core/secret.ts";
import type { SecretsView } from "../../core/view.ts";
import { commandedBy } from "../commanding.ts";
import type { Conductor } from "../conductor.ts";
import type { Signer } from "../keys.ts";
import { commandId } from "../send.ts";

const BYTES = 32;

/**
 * Sets every secret of these apps that is not set, to something that nobody knows.
 *
 * @throws {Failure} `unreachable`, `unauthorized` or `refused`.
 */
export async function makeSecrets(
  specs: readonly AppSpec[],
  conductor: Conductor,
  signer: Signer,
  keyPath: string,
  timeoutMs: number,
): Promise<void> {
  const wanted = new Map(
    specs.flatMap(({ namespace, secrets }) =>
      Object.values(secrets).map((value) => {
        const { secret } = secretUseOf(value);
        return [secretKey(namespace, secret), { namespace, secret }] as const;
      })
    ),
  );
  if (wanted.size === 0) return;
  const { secrets } = await conductor.get<SecretsView>("/api/secrets");
  for (const { namespace, secret } of secrets) wanted.delete(secretKey(namespace, secret));
  if (wanted.size === 0) return;
  const { command } = commandedBy({ conductor, signer, keyPath, timeoutMs });
  const { publicKey } = await conductor.get<{ publicKey: string }>("/api/secret-key");
  for (const { namespace, secret } of wanted.values()) {
    const value = new TextEncoder().encode(crypto.getRandomValues(new Uint8Array(BYTES)).toHex());
    const key = Uint8Array.fromBase64(publicKey);
    const sealed = await seal(key, value, storeContext(namespace, secret));
    if (sealed === null) throw new Failure("refused", "the conductor's secret key is no key");
    const id = commandId();
    await command({ verb: "SECRET", id, namespace, secret, sealed });
  }
}
