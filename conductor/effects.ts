// What happens to the conductor's machine, and what it wants done.

import type { Address } from "../core/address.ts";
import type { Entry } from "../core/log.ts";
import type { Figures, Route } from "../core/mesh.ts";
import type { EventView } from "../core/view.ts";
import type { PendingJoin } from "./trust/members.ts";
import type { Visit } from "./trust/visits.ts";

/** Where a reply goes: the live layer made it and understands it. */
export type ReplyTo = number;

/** Where a command came from. */
export interface Source {
  readonly via: "udp" | "tcp";
  /** IP address. */
  readonly address: string;
  readonly reply: ReplyTo;
}

export type ConductorEvent =
  /** A plain or signed command arrived on 7771. */
  | { readonly on: "command"; readonly text: string; readonly source: Source }
  /** The answer to a `verify` effect: the fingerprint of the operator who signed, or `null`. */
  | { readonly on: "verified"; readonly id: number; readonly key: string | null }
  /** The answer to a `read-manifest` effect. */
  | { readonly on: "manifest-read"; readonly id: number; readonly text: string }
  | { readonly on: "manifest-unreadable"; readonly id: number; readonly error: string }
  /** A datagram arrived on 7770. */
  | { readonly on: "mesh"; readonly text: string; readonly from: Address }
  /** The entry of the last `append` effect is durable. */
  | { readonly on: "appended"; readonly entry: Entry }
  /** It is not, and nothing of it is in the log. */
  | { readonly on: "append-failed"; readonly error: string }
  /** An entry that another conductor has appended; only the next one in order is taken. */
  | { readonly on: "followed"; readonly entry: Entry }
  /** This conductor leads until then: its copy of the log goes up to the end. */
  | { readonly on: "lead"; readonly term: number; readonly untilMonoMs: number }
  /** It goes on leading until then. */
  | { readonly on: "extend"; readonly untilMonoMs: number }
  /** It does not lead any more; an append that is under way is nobody's any more. */
  | { readonly on: "stand-by" }
  /** The tower (`at`, its address) is heard, or is not any more: its stream is gone, or silent. */
  | { readonly on: "tower"; readonly at: string; readonly heard: true }
  | {
    readonly on: "tower";
    readonly at: string;
    readonly heard: false;
    readonly sinceMonoMs: number;
  }
  /** An ingress tells what it has seen of the requests. */
  | { readonly on: "figures"; readonly figures: Figures }
  /** An ingress holds a request for an app without replicas; repeated while it does. */
  | { readonly on: "wake"; readonly app: string }
  /** A daemon wants to come in; what it shows has been verified. */
  | { readonly on: "join"; readonly join: PendingJoin; readonly reply: ReplyTo }
  /** Single sign-on let somebody in, who waits for the deck. */
  | { readonly on: "visit"; readonly visit: Visit; readonly reply: ReplyTo }
  /** A node shows, for the first time, the key that secrets are to be sealed to for it. */
  | { readonly on: "node-key"; readonly node: string; readonly publicKey: string }
  | { readonly on: "tick" };

export type ConductorEffect =
  | { readonly do: "reply"; readonly to: ReplyTo; readonly text: string }
  /** The command is dropped: no answer. */
  | { readonly do: "ignore"; readonly to: ReplyTo; readonly why: string }
  | { readonly do: "send"; readonly to: Address; readonly text: string }
  /** Find the operator whose key made this signature. */
  | {
    readonly do: "verify";
    readonly id: number;
    readonly text: string;
    readonly signatureHex: string;
  }
  | { readonly do: "read-manifest"; readonly id: number; readonly path: string }
  /** One at a time: the next only after `appended` or `append-failed`. */
  | { readonly do: "append"; readonly entry: Entry }
  | { readonly do: "snapshot"; readonly state: string }
  /** Fetch the app's last log lines from its nodes and answer `OK|LOGS|...`. */
  | { readonly do: "logs"; readonly to: ReplyTo; readonly app: string }
  /** Hand the signed EXEC to a node that runs the app and answer with its output. */
  | {
    readonly do: "exec";
    readonly to: ReplyTo;
    readonly app: string;
    readonly replica: string;
    readonly node: Address;
    readonly signed: string;
  }
  | { readonly do: "event"; readonly event: Omit<EventView, "sequence"> }
  /** The whole table of routes, for the tower. */
  | { readonly do: "publish"; readonly routes: readonly Route[] }
  /** All nodes that are dead now, for the tower: nobody waits for answers from there. */
  | { readonly do: "lost"; readonly nodes: readonly string[] }
  /** These apps look different now. */
  | { readonly do: "changed"; readonly apps: readonly string[] };

/** Why a standby leaves what it is sent unanswered: whoever leads is to be asked. */
export const NOT_LEADING = "this conductor does not lead";
