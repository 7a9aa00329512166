// A node's cache of artifacts in the virtual world, as node/live/artifacts.ts keeps it: what is
// believed of it is decided by the real rules of node/artifact_stat.ts.

import { sha256Hex } from "../../core/bytes.ts";
import { ARTIFACT_SETTLE_MS } from "../../core/limits.ts";
import { artifactFolder, placeOf, type SignedArtifact } from "../../node/artifact.ts";
import { isSettled, type PathStat, statDigest, whyMisplaced } from "../../node/artifact_stat.ts";
import { cargoOf, receive, refuse, sendParts } from "./cargo.ts";
import type { NodeHost } from "./node_host.ts";
import type { Stream } from "./network.ts";

/** `${ARTIFACT}` is a folder in it. */
export const CACHE = "/artifacts";
/** It holds so many contents beyond what runs. */
const CACHE_BYTES = 2 * cargoOf(1).bytes;
/** A machine that loses power may lose what was written so lately, ms. */
const UNSYNCED_MS = 5_000;
/** Nodes that are sent something at once. */
const SENDS = 2;

/** How it went. */
export interface Fetched {
  readonly fault: string | null;
  readonly changed?: string;
}

/** One artifact as it lies on the disk. */
interface Lying {
  readonly sha256: string;
  readonly place: string;
  content: string;
  inode: number;
  /** The disk's, wall time in whole seconds, ms. */
  changedMs: number;
  /** `statDigest()` when it was verified, and in which start of the machine. */
  verified?: { readonly stat: string; readonly boot: number };
  /** Virtual ms of the last use and the last write. */
  usedMs: number;
  writtenMs: number;
}

type Told = (fetched: Fetched) => void;

export class NodeCargo {
  // What its disk holds, by folder.
  readonly #lying = new Map<string, Lying>();
  readonly #parts = new Map<string, string>();
  /** Digest -> until when it was last whole here, virtual ms. */
  readonly #heldMs = new Map<string, number>();
  #boot = 1;
  #inodes = 1;
  /** Folder -> who waits for it. */
  #under = new Map<string, Told[]>();
  #sending = 0;

  constructor(private readonly host: NodeHost) {}

  /** The daemon has started: all but its disk is as new. */
  begin(): void {
    this.#under = new Map();
    this.#sending = 0;
  }

  get #nowMs(): number {
    return this.host.ground.timeline.nowMs;
  }

  /** What lies there: its digest, and when it was written last, virtual ms. */
  at(path: string): { readonly digest: string; readonly writtenMs: number } | undefined {
    for (const [folder, { place, content, writtenMs }] of this.#lying) {
      if (path === `${folder}/${place}`) return { digest: sha256Hex(content), writtenMs };
    }
    return undefined;
  }

  /** Whether this content is here, or was a moment ago. */
  held(sha256: string, withinMs: number): boolean {
    for (const each of this.#lying.values()) {
      if (each.sha256 === sha256 && sha256Hex(each.content) === sha256) return true;
    }
    return this.#nowMs - (this.#heldMs.get(sha256) ?? -Infinity) <= withinMs;
  }

  // ---- What becomes of the disk ------------------------------------------------------------------

  /** Somebody changes what lies there: its content, or all of it is gone. `nth`: counted around. */
  spoil(nth: number): string {
    const all = [...this.#lying];
    if (all.length === 0) return "nothing";
    const [folder, each] = all[nth % all.length]!;
    this.#lose(each);
    if (nth % 3 === 0) this.#lying.delete(folder);
    else {
      each.content = "another's program".padEnd(each.content.length, "#");
      if (nth % 3 === 1) each.content += "and more";
      this.#stamp(each);
    }
    return folder;
  }

  powerOff(): void {
    this.#boot++;
    for (const each of this.#lying.values()) {
      if (this.#nowMs - each.writtenMs > UNSYNCED_MS || this.host.ground.prng.below(2) === 0) {
        continue;
      }
      this.#lose(each);
      each.content = "".padEnd(each.content.length, "\0");
      each.writtenMs = this.#nowMs;
    }
  }

  #stamp(each: Lying): void {
    each.changedMs = Math.floor(this.host.now.wallMs / 1000) * 1000;
    each.writtenMs = this.#nowMs;
  }

  /** It is not here from now on. */
  #lose({ sha256, content }: Lying): void {
    if (sha256Hex(content) === sha256) this.#heldMs.set(sha256, this.#nowMs);
  }

  // ---- Fetching -----------------------------------------------------------------------------------

  /** Sees to it that it is here as it was signed; several that want it wait for one fetch. */
  get(artifact: SignedArtifact, sources: readonly string[], told: Told): void {
    const folder = artifactFolder(CACHE, artifact);
    const known = this.#under.get(folder);
    if (known) return void known.push(told);
    this.#under.set(folder, [told]);
    const answer: Told = (fetched) => {
      const waiting = this.#under.get(folder) ?? [];
      this.#under.delete(folder);
      for (const each of waiting) each(fetched);
    };
    this.host.later(this.host.diskMs, () => {
      const found = this.#look(artifact, folder);
      if (found === "here") return answer({ fault: null });
      const changed = found === "absent" ? {} : found;
      this.#fetch(artifact, sources, folder, (fault) => answer({ fault, ...changed }));
    });
  }

  #look(artifact: SignedArtifact, folder: string): "here" | "absent" | { changed: string } {
    const each = this.#lying.get(folder);
    if (!each) return "absent";
    const stats = statsOf(each);
    const stat = statDigest(stats);
    each.usedMs = this.#nowMs;
    const isKnown = each.verified?.stat === stat && each.verified.boot === this.#boot;
    const believes = this.host.ground.planted === "unverified";
    const why = isKnown || believes ? null : whyMisplaced(artifact, stats) ?? whyOther(each);
    if (why !== null) return { changed: why };
    if (isKnown) return "here";
    delete each.verified;
    if (isSettled(stats, this.host.now.wallMs)) each.verified = { stat, boot: this.#boot };
    else this.#settleSoon(artifact, folder);
    return "here";
  }

  #settleSoon(artifact: SignedArtifact, folder: string): void {
    this.host.later(ARTIFACT_SETTLE_MS + 1_000, () => {
      if (this.#under.has(folder)) return;
      const each = this.#lying.get(folder);
      if (each) this.#look(artifact, folder);
    });
  }

  #fetch(
    artifact: SignedArtifact,
    sources: readonly string[],
    folder: string,
    told: (fault: string | null) => void,
  ): void {
    if (this.host.diskFull) return told("its artifact cannot be kept: the disk is full");
    const copy = [...this.#lying.values()].find((each) =>
      each.sha256 === artifact.sha256 && whyOther(each) === null
    );
    if (copy) {
      this.#keep(artifact, folder, copy.content);
      return told(null);
    }
    const all = [...this.host.conductorHosts(), ...sources.map(hostOf)];
    this.#from(all, 0, artifact, folder, [], told);
  }

  /** Asks one after another, and goes on where the one before broke off. */
  #from(
    sources: string[],
    at: number,
    artifact: SignedArtifact,
    folder: string,
    faults: readonly string[],
    told: (fault: string | null) => void,
  ): void {
    const source = sources[at];
    if (source === undefined) {
      return told(`its artifact is not to be had: ${faults.join("; ") || "nobody has it"}`);
    }
    const { sha256, bytes } = artifact;
    // A part that is as long as the whole and was not taken is no good.
    const begun = this.#parts.get(folder) ?? "";
    if (begun.length >= bytes) this.#parts.delete(folder);
    const offset = begun.length >= bytes ? 0 : begun.length;
    const next = (reason: string) => {
      this.#from(sources, at + 1, artifact, folder, [...faults, `${source}: ${reason}`], told);
    };
    receive(this.host, this.host.ground.suppliers.get(source), { sha256, offset }, {
      part: (text) => {
        if (this.host.diskFull) return;
        this.#parts.set(folder, (this.#parts.get(folder) ?? "") + text);
      },
      end: ({ reason, holders = [] }) => {
        const content = this.#parts.get(folder) ?? "";
        if (this.host.diskFull) return told("its artifact cannot be kept: the disk is full");
        for (const each of holders.map(hostOf)) {
          if (!sources.includes(each) && sources.length < 32) sources.push(each);
        }
        if (content.length < bytes) return next(reason ?? `it broke off at ${content.length}`);
        this.#parts.delete(folder);
        const believes = this.host.ground.planted === "unverified";
        if (sha256Hex(content) === sha256 || believes) {
          this.#keep(artifact, folder, content);
          return told(null);
        }
        // The beginning may be another's lie, and this one is not to be blamed for that.
        if (offset > 0) this.#from(sources, at, artifact, folder, faults, told);
        else next("what it sent has another digest");
      },
    });
  }

  #keep(artifact: SignedArtifact, folder: string, content: string): void {
    const each: Lying = {
      sha256: artifact.sha256,
      place: placeOf(artifact),
      content,
      inode: this.#inodes++,
      changedMs: 0,
      usedMs: this.#nowMs,
      writtenMs: 0,
    };
    this.#stamp(each);
    this.#lying.set(folder, each);
    this.#settleSoon(artifact, folder);
    this.#prune();
  }

  /** Throws away what has been unused for the longest time, but not what is about to be run from. */
  #prune(): void {
    const inUse = this.host.machine?.artifactFolders() ?? new Set();
    const idle = [...this.#lying].filter(([folder]) => !inUse.has(folder))
      .sort(([, one], [, other]) => one.usedMs - other.usedMs);
    let total = this.#lying.values().reduce((sum, { content }) => sum + content.length, 0);
    for (const [folder, each] of idle) {
      if (total <= CACHE_BYTES) return;
      total -= each.content.length;
      this.#lose(each);
      this.#lying.delete(folder);
    }
  }

  // ---- For other nodes ----------------------------------------------------------------------------

  supply(stream: Stream, sha256: string, offset: number): void {
    const known = [...this.#lying.values()].find((each) => each.sha256 === sha256);
    if (!known) return refuse(stream, "it is not here");
    if (this.#sending >= SENDS) return refuse(stream, "busy with others");
    this.#sending++;
    sendParts(this.host, stream, known.content, offset, () => void this.#sending--);
  }
}

function hostOf(at: string): string {
  return at.slice(0, at.lastIndexOf(":"));
}

function whyOther({ sha256, content }: Lying): string | null {
  return sha256Hex(content) === sha256 ? null : "it has another digest";
}

/** What the disk says of it: the folders down to its place, and the file there. */
function statsOf({ place, content, inode, changedMs }: Lying): PathStat[] {
  const common = { inode: `${inode}`, modifiedMs: changedMs, changedMs };
  const parts = place.split("/");
  return [
    ...parts.map((_, index): PathStat => ({
      ...common,
      path: parts.slice(0, index).join("/"),
      kind: "folder",
      bytes: 0,
    })),
    { ...common, path: place, kind: "file", bytes: content.length },
  ];
}
