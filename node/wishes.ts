// What this node wishes for its apps' numbers, on its way to the conductor.

import { WISHES_BEATS, WISHES_PAGE } from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { MeshMessage, Wish } from "../core/mesh.ts";
import { coresOf, cpuBelowOf } from "../core/scale.ts";

/** By which CPU an app scales, as the autoscale worker is told. */
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
