// What this node keeps telling the conductor: that it lives, and how its replicas are.

import { type Address, showAddress } from "../core/address.ts";
import { Allegiance } from "./allegiance.ts";
import type { Instant } from "../core/instant.ts";
import {
  BEAT_HURRY_MS,
  BEAT_MS,
  FOLLOW_ANEW_MS,
  UNHEARD_TOWERS,
  UNLED_MS,
} from "../core/limits.ts";
import {
  type Beat,
  digestOf,
  type Mesh,
  type MeshMessage,
  type ReplicaStatus,
} from "../core/mesh.ts";
import { reportPages, StatusOutbox } from "./status.ts";

/** How the conductor knows this node. */
export interface ConductorSelf {
  readonly node: string;
  readonly boot: string;
  /** When this start was, as `bootOf()` says. */
  readonly bootWallMs: number;
  readonly name: string;
  readonly host: string;
  /** Port of the node's own listener. */
  readonly port: number;
  readonly cores: number;
  /** In place of what is measured. */
  readonly ramTotalBytes?: number;
  readonly gpu: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** So many beats without the answer of one that leads are silence, where beats are rare. */
const UNLED_BEATS = 5;

export type Load = Pick<Beat, "cpuPercent" | "ramTotalBytes" | "ramFreeBytes">;

export class ConductorLink {
  readonly allegiance: Allegiance;
  load: Load = { cpuPercent: 0, ramTotalBytes: 0, ramFreeBytes: 0 };
  readonly #outbox = new StatusOutbox();
  #beat = 0;
  #nextBeatMs = -Infinity;
  #beatenMs = -Infinity;
  #everyMs = BEAT_MS;
  /** Boot of the conductor that answered last, and when. */
  #conductor: string | null = null;
  #ledMs = -Infinity;

  /** @param enabled false where the node has no conductor: then nothing is ever sent */
  constructor(private readonly self: ConductorSelf, private readonly enabled: boolean) {
    this.allegiance = new Allegiance(self.boot);
  }

  /** How often the conductor wants to hear this node, in ms. */
  get beatMs(): number {
    return this.#everyMs;
  }

  /** Says whether a conductor that leads has answered lately. */
  isLed(nowMs: number): boolean {
    return nowMs - this.#ledMs < Math.max(UNLED_MS, UNLED_BEATS * this.#everyMs);
  }

  /** When `tick` has something to send. */
  get dueMs(): number {
    return this.enabled ? Math.min(this.#nextBeatMs, this.#outbox.dueMs) : Infinity;
  }

  /** The replica's status is news: it is sent until it is acknowledged. */
  tell(replica: string, nowMs: number): void {
    this.#outbox.add(replica, nowMs);
  }

  /** Nothing more is to be told of this replica. */
  told(replica: string): void {
    this.#outbox.remove(replica);
  }

  /**
   * How the log is to be followed: `anew` where another conductor leads than the one before, or it has
   * not been heard for so long that the stream cannot be trusted to stand at its end, too; `null`
   * where who answers does not lead.
   */
  onBeatOk(message: Mesh<"beat-ok">, nowMs: number): "anew" | "on" | null {
    if (message.standby || !this.allegiance.hear(message.term)) return null;
    const isAnew = this.#conductor !== null &&
      (this.#conductor !== message.conductor || nowMs - this.#ledMs >= FOLLOW_ANEW_MS);
    this.#conductor = message.conductor;
    this.#ledMs = nowMs;
    this.#everyMs = message.everyMs;
    this.#nextBeatMs = Math.min(this.#nextBeatMs, nowMs + message.everyMs);
    return isAnew ? "anew" : "on";
  }

  /** The conductor may be missing this node: the next beat is due now, not two at once. */
  hurry(nowMs: number): void {
    this.#nextBeatMs = Math.min(this.#nextBeatMs, Math.max(nowMs, this.#beatenMs + BEAT_HURRY_MS));
  }

  /**
   * What is to be sent now.
   *
   * @param statuses all that is listed, by replica
   * @param unheard towers that do not answer
   */
  tick(
    { monoMs: nowMs, wallMs }: Instant,
    sequence: number,
    statuses: () => ReadonlyMap<string, ReplicaStatus>,
    unheard: readonly Address[] = [],
  ): MeshMessage[] {
    if (!this.enabled || nowMs < this.dueMs) return [];
    const { node, boot } = this.self;
    const all = statuses();
    const out: MeshMessage[] = [];
    if (nowMs >= this.#nextBeatMs) {
      out.push(this.#nextBeat([...all.values()], sequence, wallMs, unheard));
      this.allegiance.beaten(this.#beat, nowMs);
      this.#nextBeatMs = nowMs + this.#everyMs;
      this.#beatenMs = nowMs;
    }
    for (const replica of this.#outbox.take(nowMs)) {
      const status = all.get(replica);
      if (status) out.push({ k: "status", node, boot, status });
    }
    return out;
  }

  #nextBeat(
    statuses: readonly ReplicaStatus[],
    sequence: number,
    wallMs: number,
    unheard: readonly Address[],
  ): Mesh<"beat"> {
    const { node, boot, bootWallMs, name, host, port, cores, ramTotalBytes, gpu, labels } =
      this.self;
    return {
      k: "beat",
      node,
      boot,
      bootWallMs,
      beat: ++this.#beat,
      name,
      host,
      port,
      cores,
      gpu,
      labels,
      ...this.load,
      ...(ramTotalBytes === undefined ? {} : { ramTotalBytes }),
      replicas: statuses.length,
      digest: digestOf(statuses.map((each) => [each.replica, each.version])),
      sequence,
      wallMs,
      ...(this.allegiance.term === 0 ? {} : { term: this.allegiance.term }),
      ...(unheard.length === 0
        ? {}
        : { unheard: unheard.slice(0, UNHEARD_TOWERS).map(showAddress) }),
    };
  }

  /** Every status, in answer to this request. */
  report(request: string, statuses: readonly ReplicaStatus[]): MeshMessage[] {
    const { node, boot } = this.self;
    const pages = reportPages(statuses);
    return pages.map((each, page) => ({
      k: "report",
      node,
      boot,
      request,
      page,
      pages: pages.length,
      statuses: each,
    }));
  }
}
