// The node's cache of artifacts: fetched from the conductor or from a node that has them, believed
// only by the digest that an operator signed, at every start anew, and thrown away when there are too
// many.

import { createHash } from "node:crypto";
import {
  ARTIFACT_PART_MS,
  ARTIFACT_SETTLE_MS,
  ARTIFACT_SPARE_BYTES,
  ARTIFACT_STALL_MS,
} from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { SealedInit } from "../../core/live/sealed_http.ts";
import { packed } from "../../core/live/pack.ts";
import { artifactFolder, placeOf, type SignedArtifact } from "../artifact.ts";
import { isSettled, statDigest, whyMisplaced } from "../artifact_stat.ts";
import {
  type Mark,
  markOf,
  markPath,
  readMark,
  rememberMark,
  statsOf,
  touchMark,
  writeMark,
} from "./artifact_marks.ts";
import type { Helper } from "./helper.ts";
import { unpack } from "./unpack.ts";

const log = () => logger("artifacts");
const NAME = /^([0-9a-f]{64})\.[0-9a-f]{8}$/;

export interface ArtifactsOptions {
  /** Absolute; `${ARTIFACT}` is a folder in it. */
  readonly folder: string;
  /** The cache may grow to this, in bytes, beyond what runs. */
  readonly maxBytes: number;
  readonly helper: Pick<Helper, "space" | "boot">;
  /** `host:port` of the conductors' TCP ports, who leads first. */
  conductors(): readonly string[];
  /** Asks a source for a path; plainly unless given. */
  ask?(source: string, path: string, init: SealedInit): Promise<Response>;
  /** Folders that replicas of this node run from. */
  inUse(): ReadonlySet<string>;
}

/** How it went. */
export interface Fetched {
  /** `null`, or why it is not here (yet). */
  readonly fault: string | null;
  /** Why what was here before could not be used. */
  readonly changed?: string;
}

function askPlainly(source: string, path: string, init: SealedInit): Promise<Response> {
  return fetch(`http://${source}${path}`, init as RequestInit);
}

export class Artifacts implements AsyncDisposable {
  readonly #under = new Map<string, Promise<Fetched>>();
  /** Folders whose content will be verified once more. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Of those that are being verified, one after another. */
  #settling: Promise<unknown> = Promise.resolve();
  #settlingFolder = "";
  #boot: Promise<string | null> | null = null;
  #sending = 0;
  #closed = false;

  constructor(private readonly options: ArtifactsOptions) {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#settling;
  }

  /**
   * Sees to it that an artifact is here as it was signed: what was changed since it was verified is
   * fetched anew. Several that want it wait for one fetch.
   *
   * @param sources `host:port` of nodes that have it
   */
  async get(artifact: SignedArtifact, sources: readonly string[]): Promise<Fetched> {
    const folder = artifactFolder(this.options.folder, artifact);
    if (this.#settlingFolder === folder) await this.#settling;
    const known = this.#under.get(folder);
    if (known) return await known;
    const getting = this.#get(artifact, sources, folder);
    this.#under.set(folder, getting);
    try {
      return await getting;
    } finally {
      this.#under.delete(folder);
    }
  }

  async #get(
    artifact: SignedArtifact,
    sources: readonly string[],
    folder: string,
  ): Promise<Fetched> {
    const found = await this.#look(artifact, folder);
    if (found === "here") return { fault: null };
    const changed = found === "absent" ? {} : found;
    if (found !== "absent") {
      const { sha256 } = artifact;
      log().error("artifact {sha256} was changed: {changed}; gets it anew", {
        sha256,
        ...found,
      });
    }
    try {
      return { fault: await this.#fetch(artifact, sources, folder), ...changed };
    } catch (error) {
      const full = /os error 28\)/.test((error as Error).message);
      const why = full ? "the disk is full" : (error as Error).message;
      return { fault: `its artifact cannot be kept: ${why}`, ...changed };
    }
  }

  // ---- What is here -------------------------------------------------------------------------------

  /**
   * What lies here of it. Where the disk says of it what it said when the content was verified, in
   * this start of the machine, that is enough; else the content is read.
   */
  async #look(
    artifact: SignedArtifact,
    folder: string,
  ): Promise<"here" | "absent" | { readonly changed: string }> {
    try {
      const mark = readMark(folder);
      // Where earlier versions of the node had their mark.
      if (!mark) await remove(`${folder}/.skr8tr`);
      const lookedMs = Date.now();
      const stats = await statsOf(folder);
      if (stats === null) return "absent";
      const stat = statDigest(stats);
      const boot = await this.#bootOf();
      if (boot !== null && mark?.verified?.stat === stat && mark.verified.boot === boot) {
        touchMark(folder);
        return "here";
      }
      const changed = whyMisplaced(artifact, stats) ?? await whyOther(artifact, folder);
      if (changed !== null) return { changed };
      const settled = boot !== null && isSettled(stats, lookedMs);
      rememberMark(folder, {
        ...markOf(artifact),
        ...(settled ? { verified: { stat, boot } } : {}),
      });
      if (!settled) this.#settleSoon(artifact, folder);
      return "here";
    } catch (error) {
      return { changed: `it cannot be read: ${(error as Error).message}` };
    }
  }

  /** Names this start of the machine: a machine that lost its power may have lost what was written. */
  async #bootOf(): Promise<string | null> {
    const boot = await (this.#boot ??= this.options.helper.boot());
    if (boot === null) this.#boot = null;
    return boot;
  }

  /** Verifies it as soon as that can be remembered, so that no start has to. */
  #settleSoon(artifact: SignedArtifact, folder: string): void {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(folder));
    const begin = () => {
      this.#timers.delete(folder);
      this.#settling = this.#settling.then(() => this.#settle(artifact, folder));
    };
    // A whole second more than it would take if it had been changed at the beginning of one.
    this.#timers.set(folder, setTimeout(begin, ARTIFACT_SETTLE_MS + 1_000));
  }

  async #settle(artifact: SignedArtifact, folder: string): Promise<void> {
    // Whoever is at it now remembers it.
    if (this.#closed || this.#under.has(folder)) return;
    this.#settlingFolder = folder;
    const found = await this.#look(artifact, folder);
    this.#settlingFolder = "";
    if (typeof found === "string") return;
    const { sha256 } = artifact;
    log().error("artifact {sha256} was changed: {changed}", { sha256, ...found });
  }

  // ---- Fetching -----------------------------------------------------------------------------------

  async #fetch(
    artifact: SignedArtifact,
    sources: readonly string[],
    folder: string,
  ): Promise<string | null> {
    await Deno.mkdir(`${this.options.folder}/new`, { recursive: true, mode: 0o711 });
    await Deno.chmod(this.options.folder, 0o711);
    const lacking = await this.#lacksSpace(artifact);
    if (lacking !== null) return lacking;
    const part = `${this.options.folder}/new/${folder.split("/").at(-1)}.part`;
    const fault = await this.#download(artifact, sources, part);
    if (fault !== null) return fault;
    const fresh = `${folder}.new`;
    await remove(fresh);
    await Deno.mkdir(fresh, { mode: 0o755 });
    const place = placeOf(artifact);
    const parent = place.split("/").slice(0, artifact.form === "file" ? -1 : undefined).join("/");
    await Deno.mkdir(`${fresh}/${parent}`, { recursive: true, mode: 0o755 });
    if (artifact.form === "file") {
      await Deno.rename(part, `${fresh}/${place}`);
      await Deno.chmod(`${fresh}/${place}`, 0o755);
    } else {
      await unpack(part, place === "" ? fresh : `${fresh}/${place}`);
      await Deno.remove(part);
    }
    await this.#replace(folder, fresh);
    writeMark(folder, markOf(artifact));
    this.#settleSoon(artifact, folder);
    log().info("has artifact {sha256}, {bytes} bytes", { ...artifact });
    await this.prune();
    return null;
  }

  /** What is there may be what others run from: it is away for as short a time as can be. */
  async #replace(folder: string, fresh: string): Promise<void> {
    const old = `${folder}.old`;
    await remove(old);
    await remove(markPath(folder));
    await Deno.rename(folder, old).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.rename(fresh, folder);
    await remove(old);
  }

  /** Why there is not room enough, or `null`. A folder needs room for its archive beside it. */
  async #lacksSpace({ bytes, form, sha256 }: SignedArtifact): Promise<string | null> {
    const needed = bytes * (form === "folder" ? 2 : 1) + ARTIFACT_SPARE_BYTES;
    const free = async () => await this.options.helper.space(this.options.folder);
    let freeBytes = await free();
    if (freeBytes === null || freeBytes >= needed) return null;
    await this.prune(needed - freeBytes);
    freeBytes = await free();
    if (freeBytes === null || freeBytes >= needed) return null;
    const mib = (count: number) => Math.ceil(count / 2 ** 20);
    return `artifact ${sha256.slice(0, 12)} needs ${mib(needed)} MiB of disk, ${
      mib(freeBytes)
    } MiB are free`;
  }

  /** Fills the part file from whoever has it, and holds it against the digest. */
  async #download(
    artifact: SignedArtifact,
    given: readonly string[],
    part: string,
  ): Promise<string | null> {
    for (const copy of this.#copies(artifact)) {
      if (await this.#copy(copy, artifact, part)) return null;
    }
    const conductors = this.options.conductors();
    const sources = [...conductors, ...given];
    const faults: string[] = [];
    for (let at = 0; at < sources.length; at++) {
      const source = sources[at]!;
      const answer = await this.#from(source, artifact, part);
      if ("whole" in answer) return null;
      const who = source === conductors[0] ? "the conductor" : source;
      faults.push(`${who}: ${answer.reason}`);
      for (const holder of answer.holders ?? []) {
        if (!sources.includes(holder) && sources.length < 32) sources.push(holder);
      }
    }
    return `artifact ${artifact.sha256.slice(0, 12)} is not to be had: ${
      faults.join("; ") || "nobody has it"
    }`;
  }

  /** The same content, under other names, too. */
  #copies({ sha256 }: Pick<SignedArtifact, "sha256">): { folder: string; mark: Mark }[] {
    try {
      return [...Deno.readDirSync(this.options.folder)].flatMap(({ name }) => {
        if (NAME.exec(name)?.[1] !== sha256) return [];
        const folder = `${this.options.folder}/${name}`;
        const mark = readMark(folder);
        return mark ? [{ folder, mark }] : [];
      });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async #copy(
    { folder, mark }: { folder: string; mark: Mark },
    artifact: SignedArtifact,
    part: string,
  ): Promise<boolean> {
    const hash = createHash("sha256");
    {
      const options = { write: true, create: true, truncate: true, mode: 0o600 };
      using file = await Deno.open(part, options);
      let bytes = 0;
      try {
        for await (const chunk of contentOf(folder, mark)) {
          if ((bytes += chunk.length) > artifact.bytes) break;
          hash.update(chunk);
          for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
        }
      } catch (error) {
        if (/os error 28\)/.test((error as Error).message)) throw error;
        log().warn("cannot copy {folder}: {error}", { folder, error });
      }
    }
    if (hash.digest("hex") === artifact.sha256) return true;
    await Deno.remove(part);
    return false;
  }

  async #from(
    source: string,
    { sha256, bytes }: SignedArtifact,
    part: string,
  ): Promise<
    { readonly whole: true } | { readonly reason: string; readonly holders?: readonly string[] }
  > {
    const hash = createHash("sha256");
    using file = await Deno.open(part, { read: true, write: true, create: true, mode: 0o600 });
    let offset = 0;
    const buffer = new Uint8Array(262_144);
    for (let count; (count = await file.read(buffer)) !== null; offset += count) {
      hash.update(buffer.subarray(0, count));
    }
    if (offset > bytes || (offset === bytes && bytes > 0)) {
      // A part that is as long as the whole and was not taken is no good.
      await file.truncate(0);
      await file.seek(0, Deno.SeekMode.Start);
      return await this.#again(source, sha256, bytes, part);
    }
    /** What earlier sources have sent. */
    const begun = offset;
    const stall = new AbortController();
    let timer = setTimeout(() => stall.abort(), ARTIFACT_STALL_MS);
    try {
      const ask = this.options.ask ?? askPlainly;
      const response = await ask(source, `/artifacts/${sha256}`, {
        headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
        signal: stall.signal,
      });
      if (response.status !== (offset > 0 ? 206 : 200)) {
        const said = await response.json().catch(() => ({})) as {
          error?: string;
          holders?: string[];
        };
        const holders = Array.isArray(said.holders) ? said.holders.filter(isSource) : [];
        return { reason: said.error ?? `status ${response.status}`, holders };
      }
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => stall.abort(), ARTIFACT_STALL_MS);
        offset += chunk.length;
        if (offset > bytes) break;
        hash.update(chunk);
        for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
      }
    } catch (error) {
      if (error instanceof Error && /os error 28\)/.test(error.message)) throw error;
      return { reason: stall.signal.aborted ? "it sends nothing" : causeOf(error) };
    } finally {
      clearTimeout(timer);
    }
    if (offset < bytes) return { reason: `it broke off at byte ${offset} of ${bytes}` };
    const found = hash.digest("hex");
    if (found === sha256 && offset === bytes) return { whole: true };
    await file.truncate(0);
    // The beginning may be another's lie, and this one is not to be blamed for that.
    if (begun > 0) return await this.#again(source, sha256, bytes, part);
    log().error("{source} sent {found} for artifact {sha256}", { source, found, sha256 });
    return { reason: `what it sent has the digest ${found.slice(0, 12)}, not the signed one` };
  }

  #again(source: string, sha256: string, bytes: number, part: string) {
    return this.#from(source, { sha256, bytes } as SignedArtifact, part);
  }

  // ---- For other nodes ----------------------------------------------------------------------------

  /** `GET /artifacts/<sha256>`: what another node asks this one for. */
  send(request: Request, sha256: string): Response {
    const [known] = this.#copies({ sha256 });
    if (!known) return fail(404, "it is not here");
    if (this.#sending >= 2) return fail(503, "busy with others");
    const { bytes } = known.mark;
    const from = Number(
      /^bytes=([0-9]{1,15})-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0,
    );
    if (from > bytes) return fail(416, `it has ${bytes} bytes`);
    this.#sending++;
    const done = () => void this.#sending--;
    const stream = async function* () {
      let skip = from;
      try {
        for await (const chunk of contentOf(known.folder, known.mark)) {
          const rest = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - rest.length;
          if (rest.length > 0) yield rest;
        }
      } finally {
        done();
      }
    };
    return new Response(ReadableStream.from(stream()), {
      status: from > 0 ? 206 : 200,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(bytes - from),
      },
    });
  }

  // ---- Keeping it small ---------------------------------------------------------------------------

  /** Throws away the longest unused artifacts until the cache is within its bound, or so much is free. */
  async prune(wantedBytes = 0): Promise<void> {
    const inUse = this.options.inUse();
    const idle: { path: string; bytes: number; usedMs: number }[] = [];
    let total = 0;
    for await (const { name } of Deno.readDir(this.options.folder)) {
      const path = `${this.options.folder}/${name}`;
      if (!NAME.test(name)) continue;
      const bytes = readMark(path)?.bytes ?? 0;
      total += bytes;
      if (inUse.has(path)) continue;
      idle.push({ path, bytes, usedMs: await usedMs(path) });
    }
    await this.#sweep();
    let freed = 0;
    for (const { path, bytes } of idle.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total - freed <= this.options.maxBytes && freed >= wantedBytes) return;
      log().info("removes {path}, unused for the longest time", { path });
      await remove(markPath(path));
      await remove(path);
      freed += bytes;
    }
  }

  /** Throws away what fetches left behind that nobody has gone on with. */
  async #sweep(): Promise<void> {
    const { folder } = this.options;
    for (
      const [where, ending] of [[`${folder}/new`, /\.part$/], [folder, /\.(new|old)$/]] as const
    ) {
      for await (const { name } of Deno.readDir(where)) {
        if (!ending.test(name)) continue;
        const { mtime } = await Deno.stat(`${where}/${name}`);
        if (Date.now() - (mtime?.getTime() ?? 0) > ARTIFACT_PART_MS) {
          await remove(`${where}/${name}`);
        }
      }
    }
  }
}

/** Why the content is not what was signed; `null` where it is. */
async function whyOther(artifact: SignedArtifact, folder: string): Promise<string | null> {
  const hash = createHash("sha256");
  for await (const chunk of contentOf(folder, markOf(artifact))) hash.update(chunk);
  const found = hash.digest("hex");
  if (found === artifact.sha256) return null;
  return `it has the digest ${found.slice(0, 12)}, not the signed one`;
}

/** Wall time of the last use, in ms; what has no mark was used last. */
async function usedMs(folder: string): Promise<number> {
  try {
    return (await Deno.stat(markPath(folder))).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** The bytes again that an artifact came as. */
async function* contentOf(folder: string, { form, place }: Mark): AsyncGenerator<Uint8Array> {
  const path = place === "" ? folder : `${folder}/${place}`;
  yield* packed(path, form);
}

/** `fetch` says no more than that it failed; why is behind that. */
function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

function isSource(text: unknown): text is string {
  return typeof text === "string" && /^[0-9A-Za-z.:[\]-]{1,80}$/.test(text);
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function fail(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
