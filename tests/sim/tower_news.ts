// Whoever leads knows in time which towers are there: also of one that stands still, whose stream
// stands, too.

import { showAddress } from "../../core/address.ts";
import type { Cast } from "./cast.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { TowerHost } from "./tower_host.ts";

/** A tower that is gone is known to be after so long at most, and so is one that is back. */
const GONE_MS = 3_500;
const BACK_MS = 5_000;

interface Since {
  /** Which start of either, and of which term. */
  readonly reign: string;
  readonly meets: boolean;
  readonly ms: number;
}

export class TowerNews {
  /** Conductor and tower -> whether they have met, or could not, and since when that is so. */
  readonly #since = new Map<string, Since>();

  /** To be called now and then. What is not known that should be, or `null`. */
  look({ conductors, towers, network, timeline }: Cast): string | null {
    for (const conductor of conductors) {
      for (const tower of towers) {
        const key = `${conductor.name} ${tower.name}`;
        const reign = `${conductor.startedMs} ${conductor.machine?.term} ${tower.startedMs}`;
        if (!conductor.leads || conductor.paused) {
          this.#since.delete(key);
          continue;
        }
        const meets = tower.up && !tower.paused && !network.isCut(conductor.host, tower.host);
        const known = this.#since.get(key);
        if (known?.meets !== meets || known.reign !== reign) {
          this.#since.set(key, { reign, meets, ms: timeline.nowMs });
          continue;
        }
        const forMs = timeline.nowMs - known.ms;
        const wrong = whatIsWrong(conductor, tower, meets, forMs);
        if (wrong) return `${conductor.name} ${wrong} ${tower.name} for ${Math.round(forMs)} ms`;
      }
    }
    return null;
  }
}

function whatIsWrong(
  { machine }: ConductorHost,
  { address }: TowerHost,
  meets: boolean,
  forMs: number,
): string | null {
  const lostMonoMs = machine!.towers.get(showAddress(address));
  if (!meets && forMs > GONE_MS && typeof lostMonoMs !== "number") {
    return "does not notice the absence of";
  }
  return meets && forMs > BACK_MS && lostMonoMs !== null ? "has not found" : null;
}
