// A conductor's store of artifacts in the virtual world, as conductor/live/artifacts.ts and
// artifact_desk.ts keep it: who is sent what is decided by the real rules.

import { sha256Hex } from "../../core/bytes.ts";
import {
  ARTIFACT_COPY_MS,
  ARTIFACT_RECENT,
  ARTIFACT_RECENT_LOOK_MS,
  ARTIFACT_RECENT_MS,
  STANDBY_REPORT_LEASE_MS,
  STANDBY_REPORT_MS,
} from "../../core/limits.ts";
import { holdersOf, sendTurn, wantedArtifacts } from "../../conductor/artifacts.ts";
import { parseStandbyReport, Standbys } from "../../conductor/leading/standbys.ts";
import type { ConductorMachine } from "../../conductor/machine.ts";
import { receive, refuse, sendParts, type Supplier } from "./cargo.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { Stream } from "./network.ts";

/** How often a node that waits its turn is looked at again, ms. */
const TURN_LOOK_MS = 100;

/** How much of an artifact is at a conductor, and of several conductors who else has it. */
export interface Shelved {
  readonly whole: boolean;
  readonly offset: number;
  /** How many others have it of how many that are heard; `null`: unknown yet. */
  readonly copies?: { readonly have: number; readonly heard: number | null };
}

export class ConductorCargo {
  // What its disk holds, by digest.
  readonly #whole = new Map<string, string>();
  readonly #parts = new Map<string, string>();
  #sending = new Map<string, number>();
  #waiting = 0;
  #standbys = new Standbys();
  #has: ReadonlySet<string> = new Set();
  #lookedMs = -Infinity;
  #busy = false;
  /** Since when it leads, as far as was looked; `null`: it does not. */
  #leadsSinceMs: number | null = null;

  constructor(
    private readonly host: ConductorHost,
    /** Who leads, as `host:port`, to the knowledge of this one. */
    private readonly leader: () => string | null,
  ) {}

  /** The daemon has started: all but its disk is as new. */
  begin(): void {
    this.#sending = new Map();
    this.#waiting = 0;
    this.#standbys = new Standbys();
    this.#has = new Set();
    this.#lookedMs = -Infinity;
    this.#busy = false;
    this.#leadsSinceMs = null;
    if (!this.host.shared) return;
    this.#lookAgain();
    this.#reportAgain();
  }

  /** Its folder of artifacts is lost. */
  lose(): void {
    this.#whole.clear();
    this.#parts.clear();
  }

  get #machine(): ConductorMachine | null {
    return this.host.machine;
  }

  has(sha256: string): boolean {
    return this.#whole.has(sha256);
  }

  // ---- What operators ask -------------------------------------------------------------------------

  head(sha256: string): Shelved {
    const announced = this.#machine?.state.artifacts.has(sha256) ?? false;
    const content = announced ? this.#whole.get(sha256) : undefined;
    const offset = (content ?? this.#parts.get(sha256) ?? "").length;
    const copies = this.host.shared ? { copies: this.#counted(sha256) } : {};
    return { whole: content !== undefined, offset, ...copies };
  }

  #counted(sha256: string): { have: number; heard: number | null } {
    const { monoMs } = this.host.now;
    const have = this.#standbys.having(sha256, monoMs).length;
    const heard = this.#standbys.count(monoMs);
    const isEarly = monoMs - (this.#leadsSinceMs ?? monoMs) < STANDBY_REPORT_LEASE_MS;
    return { have, heard: heard === 0 && isEarly ? null : heard };
  }

  /** Appends a part; why it was not taken, or `null`. @param id of the signed UPLOAD */
  append(sha256: string, id: string, offset: number, part: string): string | null {
    const announced = this.#machine?.state.artifacts.get(sha256);
    if (!announced || announced.id !== id) {
      return "its bytes are taken from whoever announced it last";
    }
    if (this.#whole.has(sha256)) return null;
    const begun = this.#parts.get(sha256) ?? "";
    if (offset !== begun.length) return "not the next part";
    if (this.host.diskFull) return "the conductor's disk is full";
    const content = begun + part;
    if (content.length > announced.bytes) return "more bytes than announced";
    this.#parts.set(sha256, content);
    if (content.length < announced.bytes) return null;
    this.#parts.delete(sha256);
    if (sha256Hex(content) !== sha256) return "its bytes have another digest";
    this.#whole.set(sha256, content);
    return null;
  }

  // ---- What nodes and other conductors ask --------------------------------------------------------

  supply(stream: Stream, sha256: string, offset: number): void {
    if (!this.#machine) return stream.break();
    this.#turn(stream, sha256, offset, this.host.now.monoMs);
  }

  #turn(stream: Stream, sha256: string, offset: number, beganMs: number): void {
    const content = this.#whole.get(sha256);
    if (content === undefined) return refuse(stream, "it is not here");
    const holders = holdersOf(this.#machine!, sha256);
    const turn = sendTurn({
      all: this.#sending.values().reduce((sum, each) => sum + each, 0),
      ofThis: this.#sending.get(sha256) ?? 0,
      waiting: this.#waiting,
      holders: () => holders.length,
      waitedMs: this.host.now.monoMs - beganMs,
    });
    if (turn === "ask") return refuse(stream, "busy with others", holders);
    if (turn === "wait") {
      this.#waiting++;
      return this.host.later(TURN_LOOK_MS, () => {
        this.#waiting--;
        this.#turn(stream, sha256, offset, beganMs);
      });
    }
    const sending = this.#sending;
    sending.set(sha256, (sending.get(sha256) ?? 0) + 1);
    sendParts(this.host, stream, content, offset, () => {
      sending.set(sha256, sending.get(sha256)! - 1);
    });
  }

  // ---- Among several conductors -------------------------------------------------------------------

  #lookAgain(): void {
    this.host.later(ARTIFACT_RECENT_LOOK_MS, () => {
      this.#lookAgain();
      const { nowMs } = this.host.ground.timeline;
      const isDue = nowMs - this.#lookedMs >= ARTIFACT_COPY_MS;
      if (this.#busy || !this.#machine) return;
      if (!isDue && this.#recent().every((sha256) => this.#has.has(sha256))) return;
      this.#lookedMs = nowMs;
      this.#busy = true;
      const wanted = new Set([...this.#recent(), ...wantedArtifacts(this.#machine.state)]);
      this.#look([...wanted], new Set());
    });
  }

  /** What was announced last and may be on its way. */
  #recent(): string[] {
    const sinceMs = this.host.now.wallMs - ARTIFACT_RECENT_MS;
    return [...this.#machine?.state.artifacts ?? []].slice(-ARTIFACT_RECENT)
      .filter(([, { wallMs }]) => wallMs >= sinceMs).map(([sha256]) => sha256);
  }

  /** Fetches what is missing, one after another. */
  #look([sha256, ...rest]: readonly string[], found: Set<string>): void {
    if (sha256 === undefined) {
      this.#has = found;
      this.#busy = false;
      return;
    }
    const next = () => {
      if (this.has(sha256)) {
        found.add(sha256);
        if (!this.#has.has(sha256)) {
          this.#has = new Set([...this.#has, sha256]);
          this.#report();
        }
      }
      this.#look(rest, found);
    };
    if (this.has(sha256)) return next();
    this.#copy(sha256, this.#sources(sha256), next);
  }

  #copy(sha256: string, [source, ...others]: readonly string[], done: () => void): void {
    const announced = this.#machine?.state.artifacts.get(sha256);
    if (source === undefined || !announced) return done();
    let offset = this.head(sha256).offset;
    receive(this.host, this.#supplier(source), { sha256, offset }, {
      part: (text) => {
        if (this.append(sha256, announced.id, offset, text) === null) offset += text.length;
      },
      end: () => this.has(sha256) ? done() : this.#copy(sha256, others, done),
    });
  }

  /** Where this artifact may be had now; nowhere while nobody leads. */
  #sources(sha256: string): readonly string[] {
    if (this.host.leads) {
      const { monoMs } = this.host.now;
      return [...this.#standbys.having(sha256, monoMs), ...holdersOf(this.#machine!, sha256)];
    }
    const leader = this.leader();
    return leader === null ? [] : [leader];
  }

  #supplier(at: string): Supplier | undefined {
    return this.host.ground.suppliers.get(at.slice(0, at.lastIndexOf(":")));
  }

  #reportAgain(): void {
    this.host.later(STANDBY_REPORT_MS, () => {
      this.#reportAgain();
      this.#report();
    });
  }

  /** Tells whoever leads what is whole here. */
  #report(): void {
    const { host } = this;
    const leader = this.leader();
    this.#leadsSinceMs = host.leads ? this.#leadsSinceMs ?? host.now.monoMs : null;
    if (host.leads || leader === null || !this.#machine) return;
    const text = JSON.stringify({
      conductor: this.#machine.boot,
      at: `${host.host}:7771`,
      has: [...this.#has],
    });
    const other = this.#supplier(leader) as ConductorHost | undefined;
    const stream = other?.up ? host.ground.network.stream(host.host, other.host) : null;
    if (!stream || !other) return;
    stream.onServer = (said) => {
      other.enter(() => other.cargo.hear(said));
      stream.break();
    };
    stream.toServer(text);
  }

  /** A standby tells what it has. */
  hear(text: string): void {
    const report = parseStandbyReport(text);
    if (!report) throw new Error(`a standby says ${text}`);
    this.#standbys.take(report, this.host.now.monoMs);
  }
}
