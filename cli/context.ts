// Named clusters in ~/.skr8tr/contexts.json: where each one's conductor is, and which key it holds.

import { Failure } from "../core/errors.ts";

/** The keys by which a conductor is known. */
export interface Pinned {
  /** Hex SHA-256 of its identity's public key. */
  readonly identity: string;
  /** Its static key, in base64. */
  readonly staticKey: string;
}

export interface SavedContext {
  /** `HOST:PORT`. */
  readonly conductor: string;
  readonly tower?: string;
  /** The signing key's file. */
  readonly key?: string;
  /** What the conductor's identity must be, where it was told before it was seen. */
  readonly fingerprint?: string;
  readonly pinned?: Pinned;
}

export interface Contexts {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, SavedContext>>;
  /** Conductors that were reached by their address, without a context. */
  readonly known: Readonly<Record<string, Pinned>>;
}

const NONE: Contexts = { contexts: {}, known: {} };

function folder(): string | null {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  return home ? `${home}/.skr8tr` : null;
}

/** All contexts; none where there is no file. @throws {Failure} `bad-contexts`. */
export function readContexts(): Contexts {
  const at = folder();
  if (at === null) return NONE;
  const path = `${at}/contexts.json`;
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return NONE;
  }
  try {
    const contexts = JSON.parse(text) as Contexts;
    return { ...contexts, contexts: contexts.contexts ?? {}, known: contexts.known ?? {} };
  } catch {
    throw new Failure("bad-contexts", `${path} is damaged: mend or remove it`);
  }
}

/** Writes them, whole or not at all. @throws {Failure} `cannot-write`. */
export function writeContexts(contexts: Contexts): void {
  const at = folder();
  if (at === null) throw new Failure("cannot-write", "no home folder (HOME is not set)");
  try {
    Deno.mkdirSync(at, { recursive: true, mode: 0o700 });
    const made = `${at}/contexts.json.new`;
    Deno.writeTextFileSync(made, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
    Deno.renameSync(made, `${at}/contexts.json`);
  } catch (error) {
    throw new Failure(
      "cannot-write",
      `cannot write ${at}/contexts.json: ${(error as Error).message}`,
    );
  }
}

/** The context of this name. @throws {Failure} `usage`. */
export function contextNamed({ contexts }: Contexts, name: string): SavedContext {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context) return context;
  throw new Failure("usage", `no context is named ${name}: skr8tr context list shows them`);
}
