// What this node finds out for the conductor about other nodes that have fallen silent there.

import type { Address } from "../core/address.ts";
import {
  OBSERVER_LATE_MS,
  PROBE_EVERY_MS,
  WITNESS_PROBES,
  WITNESS_REQUESTS,
} from "../core/limits.ts";
import type { Mesh } from "../core/mesh.ts";

type Verdict = Mesh<"probe-result">["verdict"];

interface Question {
  readonly request: string;
  readonly suspect: string;
  readonly at: Address;
  probes: number;
  nextMs: number;
  verdict: Verdict | null;
  /** The conductor waits for the answer, for the first time or again. */
  wanted: boolean;
}

/** What is to be sent: to the suspect, or to the conductor. */
export type WitnessSend =
  | { readonly to: Address; readonly message: Mesh<"probe"> }
  | { readonly to: "conductor"; readonly message: Mesh<"probe-result"> };

export class Witness {
  readonly #questions = new Map<string, Question>();
  readonly #open = new Set<Question>();

  constructor(private readonly self: { readonly node: string; readonly boot: string }) {}

  /** When `tick` has something to send. */
  get dueMs(): number {
    let due = Infinity;
    for (const { wanted, nextMs } of this.#open) due = Math.min(due, wanted ? -Infinity : nextMs);
    return due;
  }

  /** The conductor asks. The same question again is answered again, and not looked into again. */
  please({ request, suspect, host, port }: Mesh<"probe-please">, nowMs: number): void {
    let question = this.#questions.get(request);
    if (!question) {
      const at = { hostname: host, port };
      question = { request, suspect, at, probes: 0, nextMs: nowMs, verdict: null, wanted: false };
      this.#questions.set(request, question);
      this.#forget();
    }
    if (question.verdict !== null) question.wanted = true;
    this.#open.add(question);
  }

  #forget(): void {
    for (const [request, question] of this.#questions) {
      if (this.#questions.size <= WITNESS_REQUESTS) return;
      this.#questions.delete(request);
      this.#open.delete(question);
    }
  }

  /** Somebody has answered a probe. */
  alive({ by, request }: Mesh<"probe-ok">): void {
    const question = this.#questions.get(request);
    if (question?.suspect !== by) return;
    question.wanted ||= question.verdict === null || question.verdict !== "alive";
    question.verdict = "alive";
    this.#open.add(question);
  }

  tick(nowMs: number): WitnessSend[] {
    const out: WitnessSend[] = [];
    for (const question of this.#open) {
      const { verdict, suspect, request, at } = question;
      if (verdict === null && nowMs >= question.nextMs) {
        // Who was not there to hear the answers has no right to miss them.
        if (question.probes > 0 && nowMs - question.nextMs > OBSERVER_LATE_MS) {
          question.verdict = "late";
        } else if (question.probes >= WITNESS_PROBES) question.verdict = "silent";
        else {
          question.probes++;
          question.nextMs = nowMs + PROBE_EVERY_MS;
          out.push({ to: at, message: { k: "probe", node: suspect, request } });
        }
        question.wanted = question.verdict !== null;
      }
      if (question.verdict === null) continue;
      this.#open.delete(question);
      if (!question.wanted) continue;
      question.wanted = false;
      const { node, boot } = this.self;
      const message = {
        k: "probe-result",
        node,
        boot,
        request,
        suspect,
        verdict: question.verdict,
      };
      out.push({ to: "conductor", message: message as Mesh<"probe-result"> });
    }
    return out;
  }
}
