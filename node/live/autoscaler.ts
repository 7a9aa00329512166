// Hands the CPU of replicas to the autoscale worker, and its wishes to the machine.

import { AUTOSCALE_SAMPLES, AUTOSCALE_WINDOW_MS } from "../../core/limits.ts";
import type { Wish } from "../../core/mesh.ts";
import type { AppSample, AutoscaleRules } from "../autoscale.ts";
import type { NodeEvent } from "../effects.ts";
import { type CpuUse, samplesOf } from "../wishes.ts";
import { KeptWorker, NO_PERMISSIONS, type Ping, type Pong } from "./kept_worker.ts";

export type ToAutoscale =
  | {
    readonly k: "sample";
    readonly atMs: number;
    readonly apps: readonly AppSample[];
    readonly rules: AutoscaleRules;
  }
  | Ping;

export type FromAutoscale = { readonly k: "wishes"; readonly wishes: readonly Wish[] } | Pong;

export interface AutoscalerOptions {
  readonly workerUrl: URL;
  dispatch(event: NodeEvent): void;
  /** The worker hangs, and nothing in this process can end it. */
  hung(): void;
}

/** The worker costs memory, so it is started with the first app that scales by CPU. */
export class Autoscaler implements Disposable {
  #worker: KeptWorker<ToAutoscale, FromAutoscale> | null = null;

  constructor(private readonly options: AutoscalerOptions) {}

  get replacements(): number {
    return this.#worker?.replacements ?? 0;
  }

  sample(uses: readonly CpuUse[]): void {
    if (uses.length === 0 && this.#worker === null) return;
    const { workerUrl, dispatch, hung } = this.options;
    this.#worker ??= new KeptWorker<ToAutoscale, FromAutoscale>({
      name: "autoscale",
      url: workerUrl,
      permissions: NO_PERMISSIONS,
      hear: (message) => {
        if (message.k === "wishes") dispatch({ on: "wishes", wishes: message.wishes });
      },
      replaced: () => {},
      hung,
    });
    this.#worker.post({
      k: "sample",
      atMs: performance.now(),
      apps: samplesOf(uses),
      rules: { windowMs: AUTOSCALE_WINDOW_MS, samples: AUTOSCALE_SAMPLES },
    });
  }

  [Symbol.dispose](): void {
    this.#worker?.[Symbol.dispose]();
  }
}
