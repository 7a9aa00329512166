// The conductor's artifacts among several conductors: whom it asks for what it lacks, and whom it
// tells what it has.

import {
  type Address,
  CONDUCTOR_PORT,
  NODE_PORT,
  readAddress,
  showAddress,
} from "../../core/address.ts";
import { ARTIFACT_RECENT, ARTIFACT_RECENT_MS, STANDBY_REPORT_LEASE_MS } from "../../core/limits.ts";
import { now } from "../../core/live/clock.ts";
import { peerOf, type SealedInit } from "../../core/live/sealed_http.ts";
import { holdersOf, wantedArtifacts } from "../artifacts.ts";
import type { ConductorMachine } from "../machine.ts";
import { parseStandbyReport, type StandbyReport, Standbys } from "../leading/standbys.ts";
import { fail } from "./answers.ts";
import { ArtifactCopies, type Source } from "./artifact_copies.ts";
import { ArtifactStore } from "./artifacts.ts";
import { askNode, type ConductorSeal } from "./seal.ts";
import type { Leads } from "./standby.ts";

export interface ArtifactDeskParts {
  readonly folder: string;
  readonly machine: ConductorMachine;
  seal(): ConductorSeal | undefined;
  leads(): Leads;
  /** `HOST:PORT` at which others reach this conductor; absent: it is the only one. */
  readonly at?: string;
}

/** How long another conductor may take to hear what is here, ms. */
const REPORT_MS = 2_000;

export class ArtifactDesk implements Disposable {
  readonly store: ArtifactStore;
  readonly #parts: ArtifactDeskParts;
  readonly #standbys = new Standbys();
  readonly #copies: ArtifactCopies | undefined;
  /** Since when it leads, as far as was looked; `null`: it does not. */
  #leadsSinceMs: number | null = null;

  constructor(parts: ArtifactDeskParts) {
    this.#parts = parts;
    const { folder, machine, at } = parts;
    const { state } = machine;
    const announced = (sha256: string) => state.artifacts.get(sha256);
    const wanted = () => wantedArtifacts(state);
    this.store = new ArtifactStore(folder, {
      announced,
      wanted,
      holders: (sha256) => holdersOf(machine, sha256),
      ...(at === undefined ? {} : { copies: (sha256: string) => this.#counted(sha256) }),
    });
    if (at === undefined) return;
    this.#copies = new ArtifactCopies({
      store: this.store,
      announced,
      wanted,
      recent: () => this.#recent(),
      sources: (sha256) => this.#sources(sha256),
      report: (has) => this.#report({ conductor: machine.boot, at, has }),
    });
  }

  /** A standby tells whoever leads what it has. */
  async hear(request: Request): Promise<Response> {
    const isOne = this.#parts.seal() === undefined || peerOf(request)?.role === "conductor";
    if (!isOne) return fail(403, "this is for the cluster's other conductors");
    if (request.method !== "POST") return fail(405, "POST what is here");
    const report = parseStandbyReport(await request.text());
    if (!report) return fail(400, "no report of a standby");
    this.#standbys.take(report, now().monoMs);
    return new Response("ok\n");
  }

  #counted(sha256: string): { have: number; heard: number | null } {
    const { monoMs } = now();
    const have = this.#standbys.having(sha256, monoMs).length;
    const heard = this.#standbys.count(monoMs);
    // Whoever has just begun to lead has not been told yet.
    const isEarly = monoMs - (this.#leadsSinceMs ?? monoMs) < STANDBY_REPORT_LEASE_MS;
    return { have, heard: heard === 0 && isEarly ? null : heard };
  }

  /** What was announced last and may be on its way. */
  #recent(): string[] {
    const { artifacts } = this.#parts.machine.state;
    const sinceMs = now().wallMs - ARTIFACT_RECENT_MS;
    return [...artifacts].slice(-ARTIFACT_RECENT)
      .filter(([, { wallMs }]) => wallMs >= sinceMs).map(([sha256]) => sha256);
  }

  /** Where this artifact may be had now; nowhere while nobody leads. */
  #sources(sha256: string): Source[] {
    const { leads, leader } = this.#parts.leads();
    if (leads) {
      const conductors = this.#standbys.having(sha256, now().monoMs)
        .map((at) => this.#asking(readAddress(at, "standby", CONDUCTOR_PORT), "conductor"));
      const nodes = holdersOf(this.#parts.machine, sha256)
        .map((at) => this.#asking(readAddress(at, "holder", NODE_PORT)));
      return [...conductors, ...nodes];
    }
    if (leader === null) return [];
    return [this.#asking(readAddress(leader, "leader", CONDUCTOR_PORT), "conductor")];
  }

  async #report(report: StandbyReport): Promise<void> {
    const { leads, leader } = this.#parts.leads();
    this.#leadsSinceMs = leads ? this.#leadsSinceMs ?? now().monoMs : null;
    if (leads || leader === null) return;
    const ask = this.#asking(readAddress(leader, "leader", CONDUCTOR_PORT), "conductor");
    const response = await ask("/standby", {
      method: "POST",
      body: JSON.stringify(report),
      signal: AbortSignal.timeout(REPORT_MS),
    });
    await response.body?.cancel();
  }

  /** How a node, or another conductor, is asked. */
  #asking(at: Address, role?: "conductor"): (path: string, init: SealedInit) => Promise<Response> {
    return (path, init) => {
      const seal = this.#parts.seal();
      if (!seal) return fetch(`http://${showAddress(at)}${path}`, init as RequestInit);
      if (role) return seal.fetch(at, { role }, path, init);
      const node = [...this.#parts.machine.fleet.values()]
        .find(({ beat }) => beat?.host === at.hostname && beat.port === at.port);
      return askNode(seal, { ...at, ...(node?.address ?? {}), ...at }, path, init);
    };
  }

  [Symbol.dispose](): void {
    this.#copies?.[Symbol.dispose]();
  }
}
