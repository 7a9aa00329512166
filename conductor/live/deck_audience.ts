// Those who look at the deck, in groups of who is shown the same: a status is made and compared once
// for all of a group, and each is told what has changed.

import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import type { DeckMessages } from "../../core/deck_view.ts";
import { DECK_BEHIND } from "../../core/limits.ts";
import { statusChanges } from "../../core/status_changes.ts";
import type { StatusView } from "../../core/view.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";

/** One open stream. */
export class Viewer {
  readonly #stream = new ServerSentEventStream();
  readonly #writer = this.#stream.writable.getWriter();

  /**
   * @param mayStay whether they may go on looking
   * @param left called once they are gone
   */
  constructor(readonly mayStay: () => boolean, private readonly left: () => void) {
    this.#writer.closed.catch(() => {}).finally(left);
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#stream.readable;
  }

  send<K extends keyof DeckMessages>(event: K, message: DeckMessages[K]): void {
    this.sendText(event, JSON.stringify(message));
  }

  /** The same of a message that is text already. */
  sendText(event: keyof DeckMessages, data: string): void {
    // A viewer that does not read is cut off: its browser comes again by itself.
    if ((this.#writer.desiredSize ?? 0) < -DECK_BEHIND) {
      this.left();
      return void this.#writer.abort("the viewer reads too slowly").catch(() => {});
    }
    this.#writer.write({ event, data }).catch(() => {});
  }

  end(): void {
    void this.#writer.close().catch(() => {});
  }
}

/** All viewers with the same grants. */
export class Audience {
  readonly viewers = new Set<Viewer>();
  #status: StatusView | null = null;

  /** @param look makes the status as they are shown it */
  constructor(readonly grants: DeckGrants, private readonly look: () => StatusView) {}

  /** Takes somebody in, and tells them everything. */
  join(viewer: Viewer): void {
    // All have been told the same before they are one audience.
    this.tellChanges();
    this.viewers.add(viewer);
    viewer.send("status", this.#status ??= this.look());
  }

  /** Tells what has changed since the last time. */
  tellChanges(): void {
    if (this.viewers.size === 0) {
      this.#status = null;
      return;
    }
    const before = this.#status!;
    const after = this.look();
    const changes = statusChanges(before, after);
    if (changes === null) return;
    this.#status = after;
    const text = JSON.stringify(changes);
    for (const viewer of this.viewers) viewer.sendText("changes", text);
  }
}
