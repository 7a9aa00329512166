import { readAddress, TOWER_PORT } from "../../core/address.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { type WatcherMessage, watchShape } from "../../core/mesh.ts";
import { createPrng } from "../../core/prng.ts";
import { parseShaped } from "../../core/shape.ts";
import { Dial, type DialEffect, type DialEvent } from "../dial.ts";
import type { IngressEvent } from "../machine.ts";

/** A standing wish to be connected to a tower's watch stream. */
export interface Watch {
  /** Sends if the stream stands; else it does not matter, because a reconnect begins anew. */
  send(message: WatcherMessage): void;
  close(): void;
}

/**
 * Holds the watch stream of one of the towers, as `ingress/dial.ts` says, and hands over what comes.
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
  const dial = new Dial(all.length, createPrng(crypto.getRandomValues(new Uint32Array(1))[0]!));
  let socket: WebSocket | null = null;
  let open = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerMs = Infinity;
  let reported = false;

  const step = (event: DialEvent) => {
    if (!open) return;
    for (const effect of dial.step(event, performance.now())) perform(effect);
    // What is due later than before is found out when that time has come.
    if (dial.dueMs >= timerMs) return;
    clearTimeout(timer);
    timerMs = dial.dueMs;
    timer = setTimeout(() => {
      timerMs = Infinity;
      step({ on: "tick" });
    }, timerMs - performance.now());
  };

  const connect = (tower: string, call: number) => {
    const address = readAddress(tower, "tower", TOWER_PORT);
    const each = seal?.socket(address, { role: "tower" }, "/watch") ??
      new WebSocket(`ws://${tower}/watch`);
    socket = each;
    each.onopen = () => step({ on: "opened", call });
    each.onmessage = ({ data }) => {
      if (!dial.isCurrent(call)) return;
      step({ on: "heard", call });
      const message = typeof data === "string" ? parseShaped(watchShape, data) : null;
      if (message !== null) return receive({ k: "message", message });
      log.warn("tower {tower} sent what is no watch message; the stream begins anew", { tower });
      each.close();
    };
    each.onerror = (event) => event.preventDefault();
    each.onclose = () => step({ on: "closed", call });
  };

  const perform = (effect: DialEffect) => {
    switch (effect.do) {
      case "dial":
        return connect(all[effect.tower]!, effect.call);
      case "close":
        return socket?.close();
      case "connected":
        reported = false;
        log.info("watching tower {tower}", { tower: all[effect.tower] });
        return receive({ k: "connected" });
      case "lost":
        if (effect.stood) receive({ k: "lost" });
        if (!effect.stood && reported) return;
        reported = true;
        log.warn("no watch stream from tower {tower}; routing by the last table, dialing on", {
          tower: all[effect.tower],
        });
        return;
      default:
        effect satisfies never;
    }
  };
  step({ on: "start" });

  return {
    send(message) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    close() {
      open = false;
      clearTimeout(timer);
      socket?.close();
    },
  };
}
