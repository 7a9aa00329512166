// Secrets of replicas: asked for over the follow stream, opened with this node's own key, kept sealed
// beside the replica for its next start, given by environment or by a private file, and never shown.

import { REDACT_CHARACTERS, SECRETS_MS } from "../../core/limits.ts";
import { BoxKeyFile, open } from "../../core/live/box.ts";
import type { FollowerMessage, FollowMessage } from "../../core/mesh.ts";
import { handContext, secretUseOf } from "../../core/secret.ts";
import type { LaunchPlan } from "../plan.ts";
import { readText, writeAtomic } from "./files.ts";

/** A replica's secrets, opened. */
interface Opened {
  /** Variable -> value, or the path of the file that holds it. */
  readonly env: Readonly<Record<string, string>>;
  /** What must not be seen. */
  readonly hidden: readonly string[];
}

export type SecretsAnswer = Extract<FollowMessage, { k: "secrets" | "no-secrets" }>;

export const HIDDEN = "[secret]";

export class NodeSecrets {
  readonly #opened = new Map<string, Opened>();
  readonly #waiting = new Map<string, (answer: SecretsAnswer) => void>();
  readonly #keys: BoxKeyFile;

  /** @param ask sends a question to the conductor; false where nobody can hear it */
  constructor(
    private readonly options: {
      readonly node: string;
      /** The node's state folder. */
      readonly folder: string;
      ask(message: FollowerMessage): boolean;
    },
  ) {
    this.#keys = new BoxKeyFile(`${options.folder}/secret.key`);
  }

  /** The conductor has answered. */
  hear(answer: SecretsAnswer): void {
    this.#waiting.get(answer.replica)?.(answer);
  }

  has(replica: string): boolean {
    return this.#opened.has(replica);
  }

  /** What the replica's environment has of its secrets. */
  environmentOf(replica: string): Readonly<Record<string, string>> {
    return this.#opened.get(replica)?.env ?? {};
  }

  /** The text without the replica's secrets. */
  redact(replica: string, text: string): string {
    const hidden = this.#opened.get(replica)?.hidden ?? [];
    return hidden.reduce((shown, each) => shown.replaceAll(each, HIDDEN), text);
  }

  /** Where the launcher finds what its output is filtered by; `null` where nothing is to be hidden. */
  filterOf(replica: string): string | null {
    return this.#opened.get(replica)?.hidden.length ? `${this.#folder(replica)}/filter` : null;
  }

  #folder(replica: string): string {
    // Not in the replica's own folder: that is watched, and a watch waits for whoever opens a pipe.
    return `${this.options.folder}/secrets/${replica}`;
  }

  /**
   * Sees to it that a replica's secrets are there for its start.
   *
   * @param own gives a file to the user that the program runs as
   * @throws {Error} where they cannot be had, and says why.
   */
  async prepare(
    replica: string,
    uses: NonNullable<LaunchPlan["secrets"]>,
    own: (path: string) => Promise<void>,
  ): Promise<void> {
    const folder = this.#folder(replica);
    // Other accounts may pass through to a file that was given to them, and see nothing else.
    await Deno.mkdir(folder, { recursive: true, mode: 0o711 });
    const boxes = readBoxes(`${folder}/boxes`) ?? await this.#fetch(replica);
    const env: Record<string, string> = {};
    const hidden = new Set<string>();
    for (const [variable, value] of Object.entries(uses)) {
      const context = handContext(this.options.node, replica, variable);
      const bytes = await open(await this.#keys.open(), boxes[variable] ?? "", context);
      const name = secretUseOf(value).secret;
      if (!bytes) throw new Error(`secret ${name} cannot be opened on this node`);
      const text = new TextDecoder().decode(bytes);
      if (secretUseOf(value).file) {
        env[variable] = `${folder}/${variable}`;
        await writePrivate(env[variable]!, bytes);
        await own(env[variable]!);
      } else if (text.includes("\0")) {
        throw new Error(`secret ${name} has a NUL, which no variable can hold: give it as a file`);
      } else env[variable] = text;
      for (const part of [text, text.trim(), ...text.split("\n").map((line) => line.trim())]) {
        if (part.length >= REDACT_CHARACTERS) hidden.add(part);
      }
    }
    // A whole is hidden before its parts.
    const sorted = [...hidden].sort((a, b) => b.length - a.length);
    const lines = sorted.filter((each) => !each.includes("\n"));
    await writePrivate(`${folder}/filter`, new TextEncoder().encode(filterScript(lines)));
    writeAtomic(`${folder}/boxes`, `${JSON.stringify(boxes)}\n`);
    this.#opened.set(replica, { env, hidden: sorted });
  }

  /** A replica is gone, and what was opened for it with it. */
  forget(replica: string): void {
    this.#opened.delete(replica);
    try {
      Deno.removeSync(this.#folder(replica), { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #fetch(replica: string): Promise<Readonly<Record<string, string>>> {
    const publicKey = (await this.#keys.open()).publicKey.toBase64();
    const question = { k: "want-secrets", node: this.options.node, replica, publicKey } as const;
    const endMs = performance.now() + SECRETS_MS;
    let reason = "the conductor cannot be asked for its secrets";
    for (let waitMs = 50; performance.now() < endMs; waitMs = Math.min(1_000, waitMs * 2)) {
      const answer = await this.#ask(question, Math.min(2_000, endMs - performance.now()));
      if (answer?.k === "secrets") return answer.values;
      if (answer) reason = answer.reason;
      if (answer && !answer.again) break;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    throw new Error(reason);
  }

  async #ask(question: FollowerMessage, waitMs: number): Promise<SecretsAnswer | null> {
    const heard = Promise.withResolvers<SecretsAnswer | null>();
    this.#waiting.set(question.replica, heard.resolve);
    const timer = setTimeout(() => heard.resolve(null), waitMs);
    try {
      return this.options.ask(question) ? await heard.promise : null;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(question.replica);
    }
  }
}

/** A script for sed(1) that hides these texts. It takes them as bytes, whatever they mean to it. */
export function filterScript(hidden: readonly string[]): string {
  return hidden.map((text) => `s/${text.replace(/[\\/.*[\]^$]/g, "\\$&")}/${HIDDEN}/g\n`).join("");
}

function readBoxes(path: string): Readonly<Record<string, string>> | null {
  const text = readText(path);
  if (text === undefined) return null;
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    // Torn by a crash: they are asked for again.
    return null;
  }
}

async function writePrivate(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.writeFile(path, bytes, { createNew: true, mode: 0o400 });
}
