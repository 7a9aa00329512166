// A UDP socket whose mesh messages are sealed. Plain v1 commands pass as they are: the daemon judges
// them by the address they come from.

import type { Address } from "../address.ts";
import { DATAGRAM_BYTES } from "../limits.ts";
import { isSealed } from "../seal/packets.ts";
import { type SealEffect, type SealEvent, SealMachine } from "../seal/machine.ts";
import type { Peer } from "../seal/primitives.ts";
import { now } from "./clock.ts";
import { logger } from "./log.ts";
import type { SealKeys } from "./seal_keys.ts";
import { nodeAead } from "./seal_primitives.ts";
import { openUdp, type Udp } from "./udp.ts";

export interface SealedUdp extends Udp {
  readonly machine: SealMachine;
  /** Says whether anybody is known to be at this address. */
  knows(address: Address): boolean;
  /** Whom to greet at this address; `null`: nobody, as long as nothing else is said. */
  contact(
    address: Address,
    known: { readonly staticKey: Uint8Array; readonly peer: Peer } | null,
  ): void;
  /** This identity is no longer admitted. */
  forget(identity: string): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Opens the socket. What begins like a mesh message goes out sealed or not at all, and is taken only
 * from a sealed datagram, whose sender stands in `from.peer`.
 *
 * @throws {Failure} as `openUdp`.
 */
export function openSealedUdp(
  options: Address & {
    readonly keys: Pick<SealKeys, "kem" | "staticKey" | "secret">;
    admit(staticKey: Uint8Array): Peer | null;
    /** One whose key is not known here has begun a handshake, and will do so again. */
    stranger?(staticKey: Uint8Array): void;
    receive(text: string, from: Address): void;
  },
): SealedUdp {
  const { keys, admit, receive } = options;
  const log = logger("seal");
  const machine = new SealMachine({
    staticKey: keys.staticKey,
    secret: keys.secret,
    aead: nodeAead,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    admit,
    now: now(),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerMs = Infinity;
  let open = true;

  const arm = () => {
    const wakeMs = machine.wakeMonoMs();
    if (wakeMs >= timerMs || wakeMs === Infinity || !open) return;
    clearTimeout(timer);
    timerMs = wakeMs;
    timer = setTimeout(() => {
      timerMs = Infinity;
      step({ on: "tick" });
    }, Math.max(1, wakeMs - performance.now()));
    Deno.unrefTimer(timer);
  };
  const step = (event: SealEvent) => {
    if (!open) return;
    for (const effect of machine.step(event, now())) perform(effect);
    arm();
  };
  const perform = (effect: SealEffect) => {
    switch (effect.do) {
      case "transmit":
        return udp.sendBytes(effect.bytes, effect.to);
      case "deliver": {
        let text: string;
        try {
          text = decoder.decode(effect.text);
        } catch {
          udp.counters.dropped++;
          return;
        }
        if (effect.text.length <= DATAGRAM_BYTES) receive(text, effect.from);
        return;
      }
      case "kem":
        keys.kem.perform(effect.operations).then((answers) =>
          step({ on: "kem", ticket: effect.ticket, answers })
        );
        return;
      case "stranger":
        return options.stranger?.(effect.staticKey);
      case "met":
        return log.debug("a session with {role} {name}", { ...effect.peer });
      default:
        return effect satisfies never;
    }
  };
  const udp = openUdp({
    hostname: options.hostname,
    port: options.port,
    take(bytes, from) {
      if (!isSealed(bytes)) return false;
      step({ on: "datagram", bytes, from });
      return true;
    },
    receive(text, from) {
      if (text.startsWith("{")) udp.counters.dropped++;
      else receive(text, from);
    },
  });
  return {
    ...udp,
    machine,
    send(text, to) {
      if (to.peer === undefined && !text.startsWith("{")) udp.send(text, to);
      else step({ on: "send", text: encoder.encode(text), to });
    },
    contact(address, known) {
      if (known === null) step({ on: "no-contact", address });
      else step({ on: "contact", address, ...known });
    },
    knows: (address) => machine.knows(address),
    forget: (identity) => step({ on: "forget", identity }),
    async [Symbol.asyncDispose]() {
      open = false;
      clearTimeout(timer);
      await udp[Symbol.asyncDispose]();
    },
  };
}
