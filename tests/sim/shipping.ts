// An operator of the virtual world brings an artifact to the conductor, as cli/ship.ts does: announced
// by a signed command, sent part by part, gone on with where it broke off, and copied to another
// conductor before anything names it.

import { type Cargo, PART } from "./cargo.ts";
import type { ConductorCargo, Shelved } from "./conductor_cargo.ts";
import type { ConductorHost } from "./conductor_host.ts";
import { type Ground, OPERATOR } from "./daemon.ts";

/** How long one question may take, and how soon the next is asked, ms. */
const ASK_MS = 2_000;
const AGAIN_MS = 300;
/** How long the conductor is waited for, and how long another's copy, ms. */
const PATIENCE_MS = 10_000;
const COPY_MS = 10_000;
const COPY_LOOK_MS = 50;
/** How often an artifact that whoever leads by now lacks is sent anew. */
const ATTEMPTS = 5;

export interface ShippingParts {
  readonly ground: Ground;
  readonly cargo: Cargo;
  leader(): ConductorHost | null;
  /** Signs UPLOAD; `told` hears the reply, and under which id. */
  announce(told: (reply: string, id: string) => void): void;
  /** `null`, or why it was given up. */
  done(why: string | null): void;
}

export function ship(parts: ShippingParts): void {
  new Shipping(parts).begin(1);
}

class Shipping {
  #untilMs = 0;
  #attempt = 1;

  constructor(private readonly parts: ShippingParts) {}

  get #nowMs(): number {
    return this.parts.ground.timeline.nowMs;
  }

  begin(attempt: number): void {
    this.#attempt = attempt;
    if (attempt > ATTEMPTS) return this.parts.done("whoever leads does not have it");
    this.#wait();
    this.#head(({ whole }) => {
      if (whole) return this.#awaitCopy();
      this.parts.announce((reply, id) => {
        if (!reply.startsWith("OK|")) return this.parts.done(reply);
        this.#wait();
        this.#goOn(id);
      });
    });
  }

  /** Something has come: the conductor is waited for anew. */
  #wait(forMs = PATIENCE_MS): void {
    this.#untilMs = this.#nowMs + forMs;
  }

  #goOn(id: string): void {
    this.#head(({ whole, offset }) => whole ? this.#awaitCopy() : this.#send(id, offset));
  }

  #send(id: string, offset: number): void {
    const { sha256, content } = this.parts.cargo;
    const part = content.slice(offset, offset + PART);
    this.#ask<string | null>((there) => there.append(sha256, id, offset, part), (refused) => {
      if (refused === null) {
        this.#wait();
        if (offset + part.length < content.length) return this.#send(id, offset + part.length);
      } else if (refused !== "not the next part") return this.parts.done(refused);
      this.#goOn(id);
    }, () => this.#goOn(id));
  }

  #awaitCopy(): void {
    this.#wait(COPY_MS);
    const look = () =>
      this.#head(({ whole, copies }) => {
        if (!whole) return this.begin(this.#attempt + 1);
        if (!copies || copies.have > 0) return this.parts.done(null);
        if (copies.heard === 0 || this.#nowMs + COPY_LOOK_MS >= this.#untilMs) {
          this.parts.ground.witness.tell(
            "operator: only the conductor that leads has the artifact",
          );
          return this.parts.done(null);
        }
        this.parts.ground.timeline.after(COPY_LOOK_MS, look);
      });
    look();
  }

  #head(then: (shelved: Shelved) => void): void {
    this.#ask((there) => there.head(this.parts.cargo.sha256), then, () => this.#head(then));
  }

  /** Asks whoever leads; `again` where no answer came, until patience is over. */
  #ask<T>(
    work: (there: ConductorCargo) => T,
    then: (answer: T) => void,
    again: () => void,
  ): void {
    const { ground: { network, prng, timeline }, leader, done } = this.parts;
    const conductor = leader();
    let isOver = false;
    const fail = () => {
      if (isOver) return;
      isOver = true;
      stream?.break();
      if (this.#nowMs >= this.#untilMs) return done("the conductor does not answer");
      timeline.after(AGAIN_MS, again);
    };
    const stream = conductor?.up ? network.stream(OPERATOR.hostname, conductor.host) : null;
    if (!stream || !conductor) return fail();
    stream.onClientLost = fail;
    stream.onClient = (text) => {
      if (isOver) return;
      isOver = true;
      stream.break();
      then(JSON.parse(text) as T);
    };
    timeline.after(ASK_MS, fail);
    timeline.after(1, () =>
      conductor.enter(() => {
        if (!conductor.leads) return stream.break();
        const answer = JSON.stringify(work(conductor.cargo));
        // It was done, and nobody hears of it.
        if (prng.next() < network.weather.loss / 5) stream.break();
        else stream.toClient(answer);
      }));
  }
}
