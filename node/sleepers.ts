/**
 * Apps that fell asleep here. Waking one is a conductor's decision; where none leads, the node that
 * ran it last starts it by itself when the tower says that a request waits. What it starts is a
 * stand-in: it has an id of its own, says so in its status, and the conductor that leads next stops
 * it once a replica that it has placed serves.
 */

import type { AppSpec } from "../core/manifest/spec.ts";
import { SLEEPERS } from "../core/limits.ts";
import type { Replica } from "./replica.ts";

/** What is started again, by which record of the log. */
export interface Sleeper {
  readonly app: string;
  readonly generation: number;
  readonly sequence: number;
  readonly index: number;
  readonly spec: AppSpec;
}

export class Sleepers {
  /** By app, those that fell asleep last at the end. */
  readonly #asleep = new Map<string, Sleeper>();

  /** The replica ends since its app sleeps. What has no record or is not the app itself is left. */
  note({ app, generation, sequence, index, spec, launch, part }: Replica): void {
    if (!spec || launch || part) return;
    this.#asleep.delete(app);
    this.#asleep.set(app, { app, generation, sequence, index, spec });
    for (const oldest of this.#asleep.keys()) {
      if (this.#asleep.size <= SLEEPERS) return;
      this.#asleep.delete(oldest);
    }
  }

  /** It is started, or runs again by order of a conductor. */
  take(app: string): Sleeper | undefined {
    const sleeper = this.#asleep.get(app);
    this.#asleep.delete(app);
    return sleeper;
  }

  /** Their names, as the tower is told. */
  get apps(): string[] {
    return [...this.#asleep.keys()];
  }

  values(): Iterable<Sleeper> {
    return this.#asleep.values();
  }
}

/** The id of a stand-in: no conductor gives one of this form, and no other node at any time. */
export function standInId(app: string, node: string, wallMs: number): string {
  return `${app}.w${wallMs.toString(36)}${node.slice(0, 6)}`;
}
