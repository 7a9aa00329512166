import { readAddress, TOWER_PORT } from "../../core/address.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import {
  INGRESS_ALIVE_MS,
  TOWER_SILENT_MS,
  WATCH_RETRY_MAX_MS,
  WATCH_RETRY_MIN_MS,
} from "../../core/limits.ts";
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
 * Holds the watch stream of one of the towers: dials, dials again with backoff after a break, hands over
 * what comes.
 *
 * @param towers `host:port`, or several with commas between: each break goes on to the next
 */
export function openWatch(
  towers: string,
  receive: (event: IngressEvent) => void,
  seal?: Seal,
): Watch {
  const log = logger("ingress", "watch");
  let socket: WebSocket | null = null;
  let open = true;
  let waitMs = WATCH_RETRY_MIN_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reported = false;

  const all = towers.split(",");
  let at = 0;

  const dial = () => {
    const tower = all[at % all.length]!;
    const address = readAddress(tower, "tower", TOWER_PORT);
    const each = seal?.socket(address, { role: "tower" }, "/watch") ??
      new WebSocket(`ws://${tower}/watch`);
    let stood = false;
    let heardMs = performance.now();
    socket = each;
    const lost = () => {
      if (socket !== each) return;
      socket = null;
      clearInterval(listening);
      if (!open) return;
      at++;
      if (stood) receive({ k: "lost" });
      if (stood || !reported) {
        reported = true;
        log.warn("no watch stream from tower {tower}; routing by the last table, dialing on", {
          tower,
        });
      }
      // Half of the wait is by chance, so that many ingresses do not dial in step.
      timer = setTimeout(dial, waitMs * (0.5 + Math.random() / 2));
      waitMs = Math.min(waitMs * 2, WATCH_RETRY_MAX_MS);
    };
    // One that stands still keeps its connection: only its silence shows it, and another may answer.
    const listening = all.length === 1 ? undefined : setInterval(() => {
      if (performance.now() - heardMs < TOWER_SILENT_MS) return;
      lost();
      each.close();
    }, INGRESS_ALIVE_MS);
    each.onopen = () => {
      if (socket !== each) return;
      stood = true;
      waitMs = WATCH_RETRY_MIN_MS;
      reported = false;
      log.info("watching tower {tower}", { tower });
      receive({ k: "connected" });
    };
    each.onmessage = ({ data }) => {
      if (socket !== each) return;
      heardMs = performance.now();
      const message = typeof data === "string" ? parseShaped(watchShape, data) : null;
      if (message !== null) return receive({ k: "message", message });
      log.warn("tower {tower} sent what is no watch message; the stream begins anew", { tower });
      each.close();
    };
    each.onerror = (event) => event.preventDefault();
    each.onclose = lost;
  };
  dial();

  return {
    send(message) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    close() {
      open = false;
      clearTimeout(timer);
      const last = socket;
      last?.close();
    },
  };
}
