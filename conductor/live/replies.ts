// Who waits for something of the conductor: an answer to a command, or a change of an app.

import type { ReplyTo } from "../effects.ts";
import { ANY_APP } from "./http.ts";

const encoder = new TextEncoder();

/** How long an answer is on its way: in UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length;

export class Replies {
  readonly #waiting = new Map<ReplyTo, (text: string | null) => void>();
  #next: ReplyTo = 1;

  /** The answer that is given to what comes back goes there, once; `null`: there is none. */
  expect(answer: (text: string | null) => void): ReplyTo {
    const reply = this.#next++;
    this.#waiting.set(reply, answer);
    return reply;
  }

  /** Answers whoever waits. */
  answer(to: ReplyTo, text: string | null): void {
    this.#waiting.get(to)?.(text);
    this.#waiting.delete(to);
  }
}

export class Watchers {
  readonly #watchers = new Map<string, Set<() => void>>();

  /** Hears of changes of the app, or of `ANY_APP`; the function that comes back ends that. */
  watch(app: string, changed: () => void): () => void {
    const watchers = this.#watchers.get(app) ?? new Set();
    this.#watchers.set(app, watchers.add(changed));
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0) this.#watchers.delete(app);
    };
  }

  /** These apps have changed. */
  changed(apps: Iterable<string>): void {
    for (const app of apps) {
      for (const changed of this.#watchers.get(app) ?? []) changed();
    }
    for (const changed of this.#watchers.get(ANY_APP) ?? []) changed();
  }
}
