// What this node wishes for its apps' numbers, on its way to the conductor.

import { WISHES_BEATS, WISHES_PAGE } from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { MeshMessage, Wish } from "../core/mesh.ts";
import { coresOf, cpuBelowOf } from "../core/scale.ts";
import type { AppSample } from "./autoscale.ts";

/** CPU that one ready replica has used. */
export interface CpuUse {
  readonly spec: AppSpec;
  readonly replica: string;
  readonly instance: number;
  /** Since that start, in s. */
  readonly cpuS: number;
}

/** What is used, app by app, as it is judged. */
export function samplesOf(uses: readonly CpuUse[]): AppSample[] {
  const apps = new Map<string, CpuUse[]>();
  for (const use of uses) apps.set(use.spec.name, [...apps.get(use.spec.name) ?? [], use]);
  return [...apps].map(([app, all]) => ({
    app,
    // The newest generation's: while one replaces another nothing is decided.
    ...cpuTriggers(all.at(-1)!.spec),
    replicas: all.map(({ replica, instance, cpuS }) => ({ id: `${replica}#${instance}`, cpuS })),
  }));
}

/** By which CPU an app scales. */
export function cpuTriggers(
  spec: AppSpec,
): { readonly cpu: number; readonly above?: number; readonly below?: number } {
  const below = cpuBelowOf(spec.scale);
  return {
    cpu: coresOf(spec),
    ...(spec.scale?.cpuAbove === undefined ? {} : { above: spec.scale.cpuAbove }),
    ...(below === undefined ? {} : { below }),
  };
}

/**
 * The node's wishes, told again and again while there are any: each message replaces what the
 * conductor knew of its apps from this node, and what it has not heard for a while counts as nothing.
 */
export class Wishes {
  #wishes: readonly Wish[] = [];
  #nextMs = Infinity;

  get dueMs(): number {
    return this.#nextMs;
  }

  /** The worker's latest word. News are told at once. */
  take(wishes: readonly Wish[], nowMs: number): void {
    const words = (all: readonly Wish[]) => all.map(({ app, wish }) => `${app} ${wish}`).join();
    if (words(wishes) !== words(this.#wishes)) this.#nextMs = nowMs;
    this.#wishes = wishes;
    if (wishes.length === 0) this.#nextMs = Infinity;
  }

  /** What is to be told now. @param beatMs how often the node beats */
  tick(nowMs: number, self: { node: string; boot: string }, beatMs: number): MeshMessage[] {
    if (nowMs < this.#nextMs) return [];
    this.#nextMs = nowMs + WISHES_BEATS * beatMs;
    const messages: MeshMessage[] = [];
    for (let at = 0; at < this.#wishes.length; at += WISHES_PAGE) {
      const { node, boot } = self;
      messages.push({ k: "wishes", node, boot, wishes: this.#wishes.slice(at, at + WISHES_PAGE) });
    }
    return messages;
  }
}
