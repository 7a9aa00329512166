// Which of several conductors is to be asked: the one that leads.

import { type Address, readAddress, showAddress } from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { request } from "./http.ts";
import { readContexts } from "./context.ts";
import type { ConductorAddress, Sealing } from "./target.ts";

/** How long one conductor may take to say who leads, and how soon all are asked again, ms. */
const LOOK_MS = 1_000;
const AGAIN_MS = 100;
/** By then another leads, even where their store had to elect a leader of its own, ms. */
const TAKEOVER_MS = 30_000;

/** A standby's answer: who is to be asked in its place. */
export class Standby extends Failure {
  constructor(readonly leader: string | null) {
    const who = leader === null
      ? "nobody leads just now; can the conductors reach their store? What runs goes on meanwhile"
      : `${leader} leads`;
    super("unreachable", `the conductor stands by: ${who}; try again in a moment`);
  }
}

/** Reads a standby's answer; `null` for every other one. */
export function standbyOf(status: number, text: string): Standby | null {
  if (status !== 503) return null;
  try {
    const { leader } = JSON.parse(text);
    return leader === null || typeof leader === "string" ? new Standby(leader) : null;
  } catch {
    return null;
  }
}

/** Asks whoever leads, looks for it, and does so again when it is no more. */
export class Leader {
  #known: ConductorAddress;
  /** Whether somebody has said that it leads. */
  #sure: boolean;
  readonly #all: readonly ConductorAddress[];

  /** @param patienceMs for how long at least, of several, one that leads is looked for */
  constructor(address: ConductorAddress, private readonly patienceMs = TAKEOVER_MS) {
    const { others = [], ...first } = address;
    const seal = others.length === 0 ? first.seal : sharedSeal(first, others);
    this.#all = [first, ...others].map(({ hostname, port }) => ({
      hostname,
      port,
      ...(seal ? { seal } : {}),
    }));
    this.#known = this.#all[0]!;
    // A single one is simply asked.
    this.#sure = others.length === 0;
  }

  /** Whom to ask, as far as is known. */
  get address(): ConductorAddress {
    return this.#known;
  }

  /** How long a question takes at most where one conductor may take so long, ms. */
  patienceOf(timeoutMs: number): number {
    return this.#all.length > 1 ? Math.max(timeoutMs, this.patienceMs) : timeoutMs;
  }

  /**
   * Does something with whoever leads; what fails because another leads by now, or nobody answers, is
   * tried again until the time is up.
   */
  async ask<T>(
    withinMs: number,
    work: (to: ConductorAddress, timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    const several = this.#all.length > 1;
    const untilMs = performance.now() + withinMs;
    for (;;) {
      if (!this.#sure) await this.#find();
      const leftMs = Math.max(1, untilMs - performance.now());
      try {
        return await this.#whileItLeads(work(this.#known, leftMs));
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
        const isStandby = error instanceof Standby;
        const mayHelp = isStandby || several;
        if (!mayHelp || performance.now() + AGAIN_MS >= untilMs) throw error;
        if (isStandby && error.leader !== null) this.#follow(error.leader);
        else this.#sure = this.#all.length === 1;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  /** One that was stopped, or is cut off, answers nothing for long; another may lead by then. */
  async #whileItLeads<T>(work: Promise<T>): Promise<T> {
    if (this.#all.length === 1) return await work;
    const lost = Promise.withResolvers<never>();
    using _watch = this.watch(lost.reject);
    return await Promise.race([work, lost.promise]);
  }

  /** Goes where a conductor that we know has sent us: all hold the same key. */
  #follow(leader: string): void {
    const [first] = this.#all;
    const { hostname, port } = readAddress(leader, "conductor", first!.port);
    const pinned = first!.seal?.pinned ?? readContexts().known[showAddress(this.#known)];
    const seal = { ...first!.seal, ...(pinned ? { pinned } : {}) };
    this.#known = { hostname, port, ...(first!.seal ? { seal } : {}) };
    this.#sure = true;
  }

  /**
   * While a stream stands: `lost` is called when who sends it is silent or leads no more. One that
   * was stopped keeps its connections open, and another knows better by then.
   */
  watch(lost: (why: Failure) => void): Disposable {
    if (this.#all.length === 1) return { [Symbol.dispose]: () => {} };
    const at = this.#known;
    const timer = setInterval(() => {
      leads(at).catch(() => {
        this.#sure = false;
        lost(new Failure("unreachable", `${showAddress(at)} does not lead any more`));
      });
    }, LOOK_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** Asks all at once; the first that leads is it. Without any, the first is asked and says so. */
  async #find(): Promise<void> {
    try {
      this.#known = await Promise.any(this.#all.map(leads));
      this.#sure = true;
    } catch {
      this.#known = this.#all[0]!;
    }
  }
}

/** The conductor, if it says in time that it leads. */
async function leads(conductor: ConductorAddress): Promise<ConductorAddress> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const { hostname, port } = conductor;
  const response = await request({ hostname, port }, { method: "GET", path: "/leader", signal });
  const text = (await Array.fromAsync(response.body)).join("");
  if (response.status !== 200 || !JSON.parse(text).leads) throw new Error("it does not lead");
  return conductor;
}

/** All conductors of a cluster hold one key: whoever is known by it makes the others known, too. */
function sharedSeal(first: ConductorAddress, others: readonly Address[]): Sealing | undefined {
  const { seal } = first;
  if (!seal || seal.pinned) return seal;
  const { known } = readContexts();
  const pinned = [first, ...others].map((each) => known[showAddress(each)]).find((each) => each);
  return pinned ? { ...seal, pinned } : seal;
}
