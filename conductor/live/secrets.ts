// Handing secrets out: opened with the conductor's own key, sealed again to the node that needs them.

import { BoxKeyFile, open, seal } from "../../core/live/box.ts";
import { Failure } from "../../core/errors.ts";
import type { FollowerMessage, FollowMessage } from "../../core/mesh.ts";
import { handContext, storeContext } from "../../core/secret.ts";
import { handingOf } from "../trust/secrets.ts";
import type { State } from "../state.ts";

export class SecretHand {
  readonly #keys: BoxKeyFile;

  /**
   * @param path the file of the key that operators seal to
   * @param pin asks the machine to remember a node's key
   */
  constructor(
    private readonly path: string,
    private readonly state: () => State,
    private readonly pin: (node: string, publicKey: string) => void,
  ) {
    this.#keys = new BoxKeyFile(path);
  }

  /**
   * What operators seal secrets to, in base64.
   *
   * @throws {Failure} `secret-key` where there is none yet and it cannot be kept.
   */
  async publicKey(): Promise<string> {
    try {
      return (await this.#keys.open()).publicKey.toBase64();
    } catch (error) {
      const why = (error as Error).message;
      throw new Failure("secret-key", `the conductor cannot open or make ${this.path}: ${why}`);
    }
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
    const keys = await this.#keys.open();
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
