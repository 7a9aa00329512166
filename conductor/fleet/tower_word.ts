/**
 * What a conductor says to its towers, and reads of what they say: the table of routes and the word of
 * lost nodes go there, what the ingresses see of the requests comes from there.
 *
 * Loss: a stream loses nothing while it stands. One that has come about anew begins with `greeting`,
 * which is all that its tower has to know.
 */

import { type Route, type WatcherMessage, watchShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import type { ConductorEvent } from "../effects.ts";

/** How the messages begin that are for conductors; the list of replicas need not be read here. */
const OURS = /^\{"k":"(?:figures|wake)"/;

export class TowerWord {
  /** `null`: whoever begins to lead has not published yet, and towers keep what they have. */
  #routes: readonly Route[] | null = null;
  /** Whoever begins to lead knows which nodes are dead before its streams are there. */
  #lost: readonly string[] = [];
  #term: { readonly term?: number } = {};

  /** @param term in which the conductor leads from here on; 0: alone, without terms */
  begin(term: number): void {
    this.#term = term === 0 ? {} : { term };
    this.#routes = null;
  }

  /** For a stream that has just come about. */
  greeting(): WatcherMessage[] {
    const nodes = this.#lost;
    return [
      { k: "hello", role: "conductor", name: "conductor" },
      ...(this.#routes === null ? [] : [this.publish(this.#routes)]),
      ...(nodes.length === 0 ? [] : [this.lost(nodes)]),
    ];
  }

  publish(routes: readonly Route[]): WatcherMessage {
    this.#routes = routes;
    return { k: "publish", routes, ...this.#term };
  }

  /** These nodes are dead, and no others. */
  lost(nodes: readonly string[]): WatcherMessage {
    this.#lost = nodes;
    return { k: "lost", nodes, ...this.#term };
  }
}

/** What a tower's message is to a conductor; `null` for most. */
export function heardOfTower(text: string): ConductorEvent | null {
  const message = OURS.test(text) ? parseShaped(watchShape, text) : null;
  if (message?.k === "figures") {
    const { k: _k, ...figures } = message;
    return { on: "figures", figures };
  }
  return message?.k === "wake" ? { on: "wake", app: message.app } : null;
}
