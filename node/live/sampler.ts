import { SAMPLE_MS } from "../../core/limits.ts";
import type { NodeEvent } from "../effects.ts";
import type { Helper } from "./helper.ts";

type Timer = ReturnType<typeof setTimeout>;

/** Asks the helper for the machine's load at intervals. */
export class Sampler implements Disposable {
  readonly #timer: Timer;
  #asking = false;

  constructor(helper: Helper, cores: number, dispatch: (event: NodeEvent) => void) {
    const ask = async () => {
      if (this.#asking) return;
      this.#asking = true;
      const sample = await helper.sample(cores);
      this.#asking = false;
      if (sample) dispatch({ on: "sample", ...sample });
    };
    this.#timer = setInterval(ask, SAMPLE_MS);
    Deno.unrefTimer(this.#timer);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
