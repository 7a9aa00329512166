/**
 * What operators may sign. `<command>` of `SignedCommand` (core/wire.ts), read and written.
 *
 * Our own commands carry an id: repeated with the same id and text they get the first reply again
 * and are not executed again, so a client may retry. The v1 commands carry none: a repeat of the
 * same signed text is a replay and refused.
 */

import { splitVerb } from "./wire.ts";
import { base64ToText, textToBase64, toBytes } from "./bytes.ts";
import { MANIFEST_BYTES } from "./limits.ts";

export type OperatorCommand =
  | {
    readonly verb: "APPLY";
    readonly id: string;
    readonly app: string;
    /** Grows by one with each APPLY of the app, from 1: the generation. */
    readonly generation: number;
    /** The generation that a failed rollout may return to by itself, if any. */
    readonly fallback?: number;
    /** Canonical manifest text of this one app. */
    readonly manifest: string;
  }
  | { readonly verb: "DOWN"; readonly id: string; readonly app: string }
  | { readonly verb: "SUBMIT"; readonly path: string }
  | { readonly verb: "ROLLOUT"; readonly path: string }
  | { readonly verb: "EVICT"; readonly app: string }
  | { readonly verb: "EXEC"; readonly app: string; readonly command: string };

/** Verbs that change or run something, and so must be signed. */
export const SIGNED_VERBS: readonly string[] = [
  "APPLY",
  "DOWN",
  "SUBMIT",
  "ROLLOUT",
  "EVICT",
  "EXEC",
];

const ID = /^[A-Za-z0-9-]{8,64}$/;
const APP = /^[a-z][a-z0-9-]{0,62}$/;
const GENERATION = /^[1-9][0-9]{0,8}$/;

/** Reads a command (without time and signature); a text with `error` where it is malformed. */
export function parseOperatorCommand(command: string): OperatorCommand | { error: string } {
  const [verb, rest] = splitVerb(command);
  switch (verb) {
    case "APPLY":
      return parseApply(rest);
    case "DOWN": {
      const [id = "", app = "", ...more] = rest.split("|");
      if (!ID.test(id)) return { error: "DOWN needs an id of 8 to 64 letters, digits or dashes" };
      if (!APP.test(app) || more.length > 0) return { error: "DOWN needs an app" };
      return { verb, id, app };
    }
    case "SUBMIT":
    case "ROLLOUT":
      return rest.startsWith("/") ? { verb, path: rest } : {
        error: `${verb} needs an absolute path`,
      };
    case "EVICT":
      return APP.test(rest) ? { verb, app: rest } : { error: "EVICT needs an app" };
    case "EXEC": {
      const [app, line] = splitVerb(rest);
      if (!APP.test(app) || line === "") return { error: "EXEC needs an app and a command" };
      return { verb, app, command: line };
    }
    default:
      return { error: "unknown command" };
  }
}

function parseApply(rest: string): OperatorCommand | { error: string } {
  const [id = "", app = "", generation = "", fallback = "", encoded = "", ...more] = rest.split(
    "|",
  );
  if (!ID.test(id)) return { error: "APPLY needs an id of 8 to 64 letters, digits or dashes" };
  if (!APP.test(app)) return { error: "APPLY needs an app" };
  if (!GENERATION.test(generation)) return { error: "APPLY needs a sequence from 1 on" };
  if (fallback !== "-" && !GENERATION.test(fallback)) {
    return { error: "APPLY needs a fallback sequence or -" };
  }
  const manifest = more.length > 0 ? null : base64ToText(encoded);
  if (manifest === null || toBytes(manifest).length > MANIFEST_BYTES) {
    return { error: "APPLY needs a manifest in base64" };
  }
  return {
    verb: "APPLY",
    id,
    app,
    generation: Number(generation),
    ...(fallback === "-" ? {} : { fallback: Number(fallback) }),
    manifest,
  };
}

/** Writes a command; the reverse of `parseOperatorCommand`. */
export function formatOperatorCommand(command: OperatorCommand): string {
  switch (command.verb) {
    case "APPLY": {
      const { id, app, generation, fallback, manifest } = command;
      return `APPLY|${id}|${app}|${generation}|${fallback ?? "-"}|${textToBase64(manifest)}`;
    }
    case "DOWN":
      return `DOWN|${command.id}|${command.app}`;
    case "SUBMIT":
    case "ROLLOUT":
      return `${command.verb}|${command.path}`;
    case "EVICT":
      return `EVICT|${command.app}`;
    case "EXEC":
      return `EXEC|${command.app}|${command.command}`;
    default:
      return command satisfies never;
  }
}
