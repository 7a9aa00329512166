// What an app brings along: built, hashed, and sent to the conductor where it lacks it.

import type { AppSpec, ArtifactSpec } from "../core/manifest/spec.ts";
import { ARTIFACT_PART_BYTES } from "../core/limits.ts";
import { Failure } from "../core/errors.ts";
import { digestOfArtifact, formOf, packed } from "../core/live/pack.ts";
import { build } from "./build.ts";
import type { Conductor } from "./conductor.ts";
import type { Signer } from "./keys.ts";
import { commandId, parseReply, refusal, sendUntilAnswered } from "./send.ts";

/**
 * How often a broken upload is gone on with, without any byte gained in between, and the first pause
 * before that, ms; each further one is as much longer: 5 s in all, in which a conductor starts again.
 */
const ATTEMPTS = 5;
const PAUSE_MS = 500;

/** A spec whose artifact has its digest, and where its bytes are on this machine. */
export interface Shipped {
  readonly spec: AppSpec;
  /** Absolute; absent where the app has no artifact. */
  readonly source?: string;
}

/**
 * Hashes the artifact of an app.
 *
 * @param folder the manifest's own, below which `from` stands
 * @throws {Failure} `no-artifact` where there is nothing, or nothing that can be sent.
 */
export async function hashed(spec: AppSpec, folder: string): Promise<Shipped> {
  const { artifact } = spec;
  if (!artifact) return { spec };
  const source = artifact.from.startsWith("/") ? artifact.from : `${folder}/${artifact.from}`;
  try {
    const form = await formOf(source);
    const { sha256, bytes } = await digestOfArtifact(source, form);
    if (artifact.sha256 !== undefined && artifact.sha256 !== sha256) {
      throw new Failure(
        "no-artifact",
        `the artifact ${source} has the SHA-256 ${sha256}, the manifest says ${artifact.sha256}`,
      );
    }
    return { spec: { ...spec, artifact: { ...artifact, sha256, bytes, form } }, source };
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.code, `${spec.name}: ${error.message}`);
    throw new Failure("no-artifact", `${spec.name}: cannot read ${source}: ${String(error)}`);
  }
}

/**
 * Builds apps and sends what they bring along; resolves to what is to be signed.
 *
 * @param folders app -> the folder of its manifest
 */
export async function ship(
  specs: readonly AppSpec[],
  folders: ReadonlyMap<string, string>,
  options: Upload,
): Promise<readonly AppSpec[]> {
  const shipped: Shipped[] = [];
  for (const spec of specs) {
    const folder = folders.get(spec.name) ?? ".";
    await build(spec, folder);
    shipped.push(await hashed(spec, folder));
  }
  for (const each of shipped) await upload(each, options);
  return shipped.map((each) => each.spec);
}

/** The same for a plan: what is not built yet is not there, and has no digest. */
export async function hashedIfThere(
  spec: AppSpec,
  folders: ReadonlyMap<string, string>,
): Promise<AppSpec> {
  try {
    return (await hashed(spec, folders.get(spec.name) ?? ".")).spec;
  } catch (error) {
    if (spec.build && error instanceof Failure && error.code === "no-artifact") return spec;
    throw error;
  }
}

export interface Upload {
  readonly conductor: Conductor;
  readonly signer: Signer;
  readonly keyPath: string;
  readonly timeoutMs: number;
  /** Hears how far it is. */
  onSent?(app: string, sent: number, bytes: number): void;
  /** Hears that only one of several conductors has an app's artifact, and why. */
  onLone?(app: string, why: string): void;
}

/**
 * Sends an app's artifact to the conductor, unless it has it; goes on where an earlier attempt broke
 * off. Of several conductors another one has it, too, by then: whoever leads may be lost at any
 * moment, with its disk.
 *
 * @returns how many bytes were sent
 * @throws {Failure} `unreachable`, `refused`, `unauthorized`.
 */
export async function upload(shipped: Shipped, options: Upload): Promise<number> {
  let sent = 0;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    sent += await send(shipped, options);
    if (await isCopied(shipped, options)) return sent;
  }
  throw new Failure(
    "refused",
    `${shipped.spec.name}: whoever leads of the conductors changes, and does not have its artifact`,
  );
}

/** How long another conductor's copy is waited for, ms; a large one takes longer, bytes a ms. */
const COPY_MS = 10_000;
const COPY_BYTES_PER_MS = 5_000;
const COPY_LOOK_MS = 50;

/** Says whether whoever leads has it; waits for a copy, and tells of it where none comes about. */
async function isCopied({ spec, source }: Shipped, options: Upload): Promise<boolean> {
  const { artifact } = spec;
  if (!artifact || source === undefined) return true;
  const mostMs = COPY_MS + (artifact.bytes ?? 0) / COPY_BYTES_PER_MS;
  for (const untilMs = performance.now() + mostMs;;) {
    const { status, headers } = await options.conductor.ask(
      "HEAD",
      `/artifacts/${artifact.sha256}`,
    );
    if (status !== 200) return false;
    const copies = headers.get("skr8tr-copies");
    // One conductor alone says nothing of it.
    const [have = "", heard = ""] = copies?.split("/") ?? [];
    if (copies === undefined || Number(have) > 0) return true;
    if (heard === "0" || performance.now() >= untilMs) {
      const why = heard === "0"
        ? "no other conductor is heard"
        : `no other has fetched it within ${Math.round(mostMs / 1_000)} s`;
      options.onLone?.(spec.name, why);
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, COPY_LOOK_MS));
  }
}

/** What is said of an artifact that only one of several conductors has. */
export function loneLine(app: string, why: string): string {
  return `warning: ${app}: only the conductor that leads has its artifact, since ${why}; should its ` +
    "disk be lost now, deploy again";
}

async function send({ spec, source }: Shipped, options: Upload): Promise<number> {
  const { artifact } = spec;
  if (!artifact || source === undefined) return 0;
  const path = `/artifacts/${artifact.sha256}`;
  const first = await options.conductor.ask("HEAD", path);
  if (first.status === 200) return 0;
  if (first.status !== 404) {
    throw new Failure("refused", `the conductor takes no artifacts (status ${first.status})`);
  }
  const id = await announce(artifact, options);
  let offset = Number(first.headers.get("skr8tr-offset") ?? 0);
  let sent = 0;
  for (let attempt = 1;; attempt++) {
    const before = offset;
    try {
      if (attempt > 1) {
        const again = await options.conductor.ask("HEAD", path);
        if (again.status === 200) return sent;
        offset = Number(again.headers.get("skr8tr-offset") ?? 0);
      }
      for await (const part of partsFrom(source, artifact, offset)) {
        const answer = await options.conductor.ask(
          "POST",
          `${path}?offset=${offset}`,
          { "skr8tr-upload": id },
          part,
        );
        const said = JSON.parse(answer.text || "{}");
        if (answer.status === 409 && typeof said.offset === "number") {
          offset = said.offset;
          break;
        }
        if (answer.status !== 200) {
          throw new Failure("refused", `${spec.name}: the conductor says: ${said.error}`);
        }
        sent += part.length;
        offset = said.offset;
        options.onSent?.(spec.name, offset, artifact.bytes ?? 0);
        if (said.complete) return sent;
      }
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      if (attempt >= ATTEMPTS) throw error;
      await new Promise((again) => setTimeout(again, attempt * PAUSE_MS));
      // Where it broke off the conductor says; what counts here is that something has come.
      if (offset > before) attempt = 1;
      continue;
    }
    if (offset > before) attempt = 0;
    if (attempt >= ATTEMPTS) {
      throw new Failure("refused", `${spec.name}: its artifact does not get on at byte ${offset}`);
    }
  }
}

/** Signs that these bytes will come; whoever sends them names the command's id. */
async function announce(artifact: ArtifactSpec, options: Upload): Promise<string> {
  const id = commandId();
  const { sha256 = "", bytes } = artifact;
  const command = { verb: "UPLOAD", id, sha256, bytes: String(bytes) } as const;
  const reply = parseReply(await sendUntilAnswered(command, { ...options, wasHeard: true }));
  if (!reply.ok) throw refusal(reply, options.keyPath);
  return id;
}

/** The bytes from an offset on, in parts of the size of one request; an empty one for none. */
async function* partsFrom(
  source: string,
  { form = "file", bytes = 0 }: ArtifactSpec,
  offset: number,
): AsyncGenerator<Uint8Array> {
  if (bytes === 0) yield new Uint8Array();
  let skip = offset;
  let part = new Uint8Array(ARTIFACT_PART_BYTES);
  let length = 0;
  for await (const whole of packed(source, form)) {
    let chunk = whole.subarray(Math.min(skip, whole.length));
    skip -= whole.length - chunk.length;
    while (chunk.length > 0) {
      const taken = chunk.subarray(0, part.length - length);
      part.set(taken, length);
      length += taken.length;
      chunk = chunk.subarray(taken.length);
      if (length < part.length) continue;
      yield part;
      part = new Uint8Array(ARTIFACT_PART_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield part.subarray(0, length);
}
