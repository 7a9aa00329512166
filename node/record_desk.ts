// Gives replicas and orders the records that describe them, as they come and are verified.

import { specOfPart } from "../core/before.ts";
import { FOLLOW_STUCK_MS } from "../core/limits.ts";
import type { Mesh } from "../core/mesh.ts";
import type { NodeEvent } from "./effects.ts";
import type { Life, Stage } from "./life.ts";
import type { Outbox } from "./outbox.ts";
import { specOfLaunch, unsupported } from "./plan.ts";
import type { Prospect } from "./preparing.ts";
import { type Read, Records, type RecordsOptions, type Settled } from "./records.ts";
import { type Label, takeLabel } from "./relabel.ts";
import type { Replica } from "./replica.ts";

/** What the desk needs of its node. */
export interface RecordDeskParts {
  readonly stage: Stage;
  readonly life: Life;
  readonly outbox: Outbox;
  readonly replicas: ReadonlyMap<string, Replica>;
  /** What is to be looked into may go on. */
  look(): void;
}

export class RecordDesk {
  readonly records: Records;
  /** Since when something waits for what comes after this end of the log. */
  #lacking: { readonly end: number; sinceMs: number } | null = null;

  constructor(options: RecordsOptions, private readonly parts: RecordDeskParts) {
    this.records = new Records(options);
  }

  /** What was kept of the log by an earlier start. */
  load({ log, records }: Pick<Extract<NodeEvent, { on: "start" }>, "log" | "records">): void {
    if (log !== undefined) this.records.loadLog(log);
    for (const record of records) this.records.load(record);
    this.#settled(this.records.loaded());
  }

  /** Takes in what comes of the conductor's log, and what came of a verification. */
  take(event: Extract<NodeEvent, { on: "record" | "head" | "log" | "verified" }>): void {
    switch (event.on) {
      case "record":
        return this.#heard(() => this.#settled(this.records.receive(event.record)));
      case "head":
        this.#heard(() => this.records.reachHead(event.sequence, event.chain));
        return this.seekAll();
      case "log":
        return this.#heard(() => {
          if (this.records.hearLog(event.log)) {
            this.parts.stage.emit({ do: "keep-log", log: event.log });
          }
        });
      case "verified":
        return this.#settled(this.records.settle(event.sequence, event.refusal));
      default:
        return event satisfies never;
    }
  }

  /** A replica that waits for its record gets it, if it is there. */
  seek(replica: Replica): void {
    if (replica.next) this.#seekLabel(replica, replica.next);
    if (replica.state.at !== "record" && replica.state.at !== "adopted") return;
    if (replica.launch) return this.parts.life.recordHeld(replica, specOfLaunch(replica.launch));
    const { answer, started } = this.records.need(replica.sequence);
    this.#settled(started);
    switch (answer.at) {
      case "held":
        return this.#recordHeld(replica, answer);
      case "refused":
        return this.#refuseLater(replica, answer.reason);
      case "absent":
      case "verifying":
        return;
      default:
        return answer satisfies never;
    }
  }

  #recordHeld(replica: Replica, held: Read): void {
    const mismatch = Records.mismatch(held, replica);
    if (mismatch !== null) return this.#refuseLater(replica, mismatch);
    const spec = specOfPart(held.spec, replica.part);
    if (!spec) return this.#refuseLater(replica, `record ${replica.sequence} has no before`);
    // What ran here once may go on; only what has never been started is held against newer records.
    if (replica.state.at === "record" && replica.instance === 0) {
      const permit = this.#permit(replica.app, replica.generation);
      if (permit.at === "verifying") return;
      // The START that the order follows may be on its way: then it is held and not given up.
      if (permit.mayChange) return this.#hold(replica, permit.reason);
      if (permit.at === "refused") return this.#refuseLater(replica, permit.reason);
    }
    this.parts.life.recordHeld(replica, spec);
    if (replica.next) this.#seekLabel(replica, replica.next);
  }

  /** Whether this generation may be started, as far as the records tell that are verified. */
  #permit(app: string, generation: number) {
    const permit = this.records.permit(app, generation);
    this.#settled(permit.started);
    return permit;
  }

  /** A running replica is to go on by another record. */
  #seekLabel(replica: Replica, label: Label): void {
    this.#settled(this.records.need(label.sequence).started);
    const permit = this.#permit(replica.app, label.generation);
    const answer = takeLabel(this.records, permit, replica, label);
    if (answer.at === "taken") return this.parts.life.relabel(replica, label, answer.spec);
    if (answer.at === "wait") return;
    replica.next = undefined;
    this.parts.outbox.answer(null, "run-refused", replica.id, answer.reason);
  }

  /** It waits on, and says for what. */
  #hold(replica: Replica, reason: string): void {
    if (replica.reason === reason) return;
    replica.reason = reason;
    this.parts.stage.touch(replica);
  }

  /** Its order was accepted before its record was known to be no good. */
  #refuseLater(replica: Replica, reason: string): void {
    if (replica.state.at === "record") {
      this.parts.outbox.answer(null, "run-refused", replica.id, reason);
    }
    this.parts.life.refuse(replica, reason);
  }

  /** Does what settling records leads to. */
  #settled({ keep, checks, settled }: Settled): void {
    for (const record of keep) this.parts.stage.emit({ do: "keep-record", record });
    for (const check of checks) this.parts.stage.emit({ do: "verify", ...check });
    for (const [sequence, refusal] of settled) {
      if (refusal !== null) {
        this.parts.stage.emit({
          do: "log",
          level: "error",
          text: `record ${sequence} is refused: ${refusal}`,
        });
      }
    }
    if (settled.length > 0) this.seekAll();
  }

  /**
   * Says, every `FOLLOW_STUCK_MS`, that something waits for a record and nothing of the log comes: the
   * stream may stand at this end alone, as where a firewall has forgotten it.
   */
  isStuck(nowMs: number): boolean {
    const end = this.records.sequence;
    const lacks = this.parts.replicas.values().some(({ state, sequence, next }) =>
      (state.at === "record" && sequence > end) || (next !== undefined && next.sequence > end)
    );
    if (!lacks) this.#lacking = null;
    else if (this.#lacking?.end !== end) this.#lacking = { end, sinceMs: nowMs };
    if (this.#lacking === null || nowMs - this.#lacking.sinceMs < FOLLOW_STUCK_MS) return false;
    this.#lacking.sinceMs = nowMs;
    return true;
  }

  /** Takes in something of the conductor's log; says so once where it is not followed any more. */
  #heard(take: () => void): void {
    const before = this.records.trouble;
    take();
    const { trouble } = this.records;
    if (trouble === null || trouble === before) return;
    this.parts.stage.emit({ do: "log", level: "error", text: trouble });
    this.seekAll();
  }

  /** Everything that waits for a record gets it, if it is there. */
  seekAll(): void {
    for (const replica of this.parts.replicas.values()) this.seek(replica);
    this.parts.look();
  }

  /** What the records say of a generation that is to be looked into. */
  prospect(order: Mesh<"prepare">): Prospect {
    const { answer, started } = this.records.need(order.sequence);
    this.#settled(started);
    if (answer.at === "refused") return answer;
    if (answer.at !== "held") return { at: "wait" };
    const mismatch = Records.mismatch(answer, order);
    if (mismatch !== null) return { at: "refused", reason: mismatch };
    const permit = this.#permit(order.app, order.generation);
    if (permit.mayChange || permit.at === "verifying") return { at: "wait" };
    if (permit.at === "refused") return { at: "refused", reason: permit.reason };
    return { at: "held", spec: answer.spec };
  }

  /** Why the records do not allow what an order wants to run; `null` where they do, so far. */
  refusalOf(order: Mesh<"run">): string | null {
    const { answer, started } = this.records.need(order.sequence);
    this.#settled(started);
    if (answer.at === "refused") return answer.reason;
    if (answer.at !== "held") return null;
    const mismatch = Records.mismatch(answer, order);
    if (mismatch !== null) return mismatch;
    const permit = this.#permit(order.app, order.generation);
    if (permit.at === "refused") return permit.reason;
    const spec = specOfPart(answer.spec, order.part);
    return spec
      ? unsupported(spec, this.parts.stage.around)
      : `record ${order.sequence} has no before`;
  }
}
