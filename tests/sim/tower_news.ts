// What of towers must be known in time: what is ready to them and to its node, and who is there to
// whoever leads, also of one that stands still, whose stream stands, too.

import { showAddress } from "../../core/address.ts";
import type { ReplicaStatus } from "../../core/mesh.ts";
import { UNLISTED } from "../../node/life.ts";
import type { Cast } from "./cast.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { TowerHost } from "./tower_host.ts";

/** A tower that is gone is known to be after so long at most, and so is one that is back. */
const GONE_MS = 3_500;
const BACK_MS = 5_000;

interface Since {
  /** Which start of either, of which term, and after which pause. */
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
        const reign = [conductor.startedMs, conductor.machine?.term, tower.startedMs, tower.wokenMs]
          .join(" ");
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

/** Says whether the tower lacks what is ready on a node, or the node does not know that it has it. */
export function isMissing(status: ReplicaStatus, tower: TowerHost, isOnly: boolean): boolean {
  if (isOnly && status.reason === UNLISTED) return true;
  return status.state === "ready" && status.port !== undefined &&
    tower.machine?.registry.entry(status.replica) === undefined;
}
