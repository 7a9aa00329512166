import { readAddress, TOWER_PORT } from "../../core/address.ts";
import { ingressDial } from "../../core/dial.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { TowerStream } from "../../core/live/tower_stream.ts";
import { watchSocket } from "../../core/live/watch_socket.ts";
import { type WatcherMessage, watchShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import type { IngressEvent } from "../machine.ts";

/** A standing wish to be connected to a tower's watch stream. */
export interface Watch {
  /** Sends if the stream stands; else it does not matter, because a reconnect begins anew. */
  send(message: WatcherMessage): void;
  close(): void;
}

/**
 * Holds the watch stream of one of the towers, as `core/dial.ts` says, and hands over what comes.
 *
 * @param towers `host:port`, or several with commas between
 */
export function openWatch(
  towers: string,
  receive: (event: IngressEvent) => void,
  seal?: Seal,
): Watch {
  const log = logger("ingress", "watch");
  const all = towers.split(",");
  const addresses = all.map((tower) => readAddress(tower, "tower", TOWER_PORT));
  let reported = false;
  const open = (tower: number) => watchSocket(addresses[tower]!, seal);
  const stream = new TowerStream(open, ingressDial(all.length), {
    connected(tower) {
      reported = false;
      log.info("watching tower {tower}", { tower: all[tower] });
      receive({ k: "connected" });
    },
    lost(tower, stood) {
      if (stood) receive({ k: "lost" });
      if (!stood && reported) return;
      reported = true;
      log.warn("no word from tower {tower}; routing by the last table, dialing on", {
        tower: all[tower],
      });
    },
    heard(text, tower) {
      const message = parseShaped(watchShape, text);
      if (message !== null) {
        receive({ k: "message", message });
        return true;
      }
      log.warn("tower {tower} sent what is no watch message; the stream begins anew", {
        tower: all[tower],
      });
      return false;
    },
  });
  return {
    send: (message) => stream.send(message),
    close: () => stream[Symbol.dispose](),
  };
}
