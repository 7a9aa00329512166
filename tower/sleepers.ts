// Which nodes can wake which app by themselves, as their leases say, and whom to ask to do it.

import { WAKE_ELSEWHERE_MS } from "../core/limits.ts";

interface Asked {
  readonly node: string;
  readonly sinceMs: number;
}

export class Sleepers {
  /** Node -> the apps that it named last. */
  readonly #byNode = new Map<string, readonly string[]>();
  readonly #byApp = new Map<string, Set<string>>();
  /** App -> who was asked last: until that may have come to nothing, nobody else is. */
  readonly #asked = new Map<string, Asked>();

  /** A node's lease names all the apps that it can wake; it costs nothing where that has not changed. */
  note(node: string, apps: readonly string[] = []): void {
    const before = this.#byNode.get(node) ?? [];
    if (apps.length === before.length && apps.every((app, at) => app === before[at])) return;
    this.forget(node);
    if (apps.length === 0) return;
    this.#byNode.set(node, apps);
    for (const app of apps) {
      const nodes = this.#byApp.get(app) ?? new Set();
      this.#byApp.set(app, nodes.add(node));
    }
  }

  /** The node is gone. */
  forget(node: string): void {
    for (const app of this.#byNode.get(node) ?? []) {
      const nodes = this.#byApp.get(app);
      nodes?.delete(node);
      if (nodes?.size === 0) this.#byApp.delete(app);
    }
    this.#byNode.delete(node);
  }

  /** A request waits for the app: the node that is to be asked now, or `null`. */
  whom(app: string, nowMs: number): string | null {
    for (const [known, { sinceMs }] of this.#asked) {
      if (nowMs - sinceMs < 2 * WAKE_ELSEWHERE_MS) break;
      this.#asked.delete(known);
    }
    const asked = this.#asked.get(app);
    const nodes = this.#byApp.get(app);
    // Once more, should the first word be lost; one that has begun does not name the app any more.
    if (asked && nowMs - asked.sinceMs < WAKE_ELSEWHERE_MS) {
      return nodes?.has(asked.node) ? asked.node : null;
    }
    // In one order at all towers, so that not each of them has another one start it.
    const inOrder = [...nodes ?? []].sort();
    const node = inOrder.find((each) => asked !== undefined && each > asked.node) ?? inOrder[0];
    this.#asked.delete(app);
    if (node === undefined) return null;
    this.#asked.set(app, { node, sinceMs: nowMs });
    return node;
  }
}
