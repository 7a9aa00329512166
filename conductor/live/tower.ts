// The conductor's stream to one tower.

import { type Address, showAddress } from "../../core/address.ts";
import { CONDUCTOR_DIAL } from "../../core/dial.ts";
import { logger } from "../../core/live/log.ts";
import type { WatcherMessage } from "../../core/mesh.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { TowerStream } from "../../core/live/tower_stream.ts";
import { watchSocket } from "../../core/live/watch_socket.ts";
import type { ConductorEvent } from "../effects.ts";
import { heardOfTower, type TowerWord } from "../fleet/tower_word.ts";

/** Keeps a tower told what the conductor says, through restarts of either. */
export class TowerLink implements Disposable {
  readonly #stream: TowerStream;
  #wasHeard: boolean | null = null;

  constructor(
    tower: Address,
    word: TowerWord,
    private readonly receive: (event: ConductorEvent) => void,
    seal?: Seal,
  ) {
    const at = showAddress(tower);
    this.#stream = new TowerStream(() => watchSocket(tower, seal), CONDUCTOR_DIAL, {
      connected: () => {
        this.#heard(at);
        for (const message of word.greeting()) this.send(message);
      },
      lost: (_, __, sinceMonoMs) => this.#lost(at, sinceMonoMs),
      heard: (text) => {
        const event = heardOfTower(text);
        if (event) this.receive(event);
        return true;
      },
    });
  }

  /** Sends if the stream stands; else its greeting will say it. */
  send(message: WatcherMessage): void {
    this.#stream.send(message);
  }

  // Either is told when it changes.

  #heard(at: string): void {
    if (this.#wasHeard === true) return;
    this.#wasHeard = true;
    logger("tower").info("tower {at} is heard", { at });
    this.receive({ on: "tower", at, heard: true });
  }

  #lost(at: string, sinceMonoMs: number): void {
    if (this.#wasHeard === false) return;
    this.#wasHeard = false;
    logger("tower").warn("tower {at} is not heard; dialing on", { at });
    this.receive({ on: "tower", at, heard: false, sinceMonoMs });
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }
}
