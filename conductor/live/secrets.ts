// Handing secrets out: opened with the conductor's own key, sealed again to the node that needs them.

import { type BoxKeys, open, openBoxKeys, seal } from "../../core/live/box.ts";
import type { FollowerMessage, FollowMessage } from "../../core/mesh.ts";
import { handContext, storeContext } from "../../core/secret.ts";
import { handingOf } from "../trust/secrets.ts";
import type { State } from "../state.ts";

export class SecretHand {
  #keys: Promise<BoxKeys> | null = null;

  /**
   * @param path the file of the key that operators seal to
   * @param pin asks the machine to remember a node's key
   */
  constructor(
    private readonly path: string,
    private readonly state: () => State,
    private readonly pin: (node: string, publicKey: string) => void,
  ) {}

  /** What operators seal secrets to, in base64. */
  async publicKey(): Promise<string> {
    return (await this.#opened()).publicKey.toBase64();
  }

  #opened(): Promise<BoxKeys> {
    return this.#keys ??= openBoxKeys(this.path);
  }

  /**
   * Answers a node that asks for a replica's secrets.
   *
   * @param proved the node that the sealed stream's other end has proved to be, where it has
   */
  async answer(asked: FollowerMessage, proved?: string): Promise<FollowMessage> {
    const { node, replica, publicKey } = asked;
    const none = (reason: string, again = false): FollowMessage => ({
      k: "no-secrets",
      replica,
      reason,
      again,
    });
    if (proved !== undefined && proved !== node) return none("this is another node's stream");
    const pinned = this.state().nodeKeys.get(node);
    if (pinned === undefined) {
      this.pin(node, publicKey);
      return none("the node's key is being remembered", true);
    }
    // Who has proved to be this node may have a new key, after its state was lost.
    if (pinned !== publicKey && proved === undefined) {
      return none(
        "this node has shown another key before; skr8tr node forget lets it show a new one",
      );
    }
    const handing = handingOf(this.state(), node, replica);
    if ("reason" in handing) return none(handing.reason, handing.again);
    const keys = await this.#opened();
    const values: Record<string, string> = {};
    for (const [variable, { namespace, secret, sealed }] of handing.secrets) {
      const text = await open(keys, sealed, storeContext(namespace, secret));
      if (text === null) {
        return none(`secret ${secret} was sealed to another cluster's key: set it again`);
      }
      const to = Uint8Array.fromBase64(publicKey);
      const box = await seal(to, text, handContext(node, replica, variable));
      if (box === null) return none("the node's key is none");
      values[variable] = box;
    }
    return { k: "secrets", replica, values };
  }
}
