/**
 * What operators may sign. `<command>` of `SignedCommand` (core/wire.ts), read and written.
 *
 * Our own commands carry an id: repeated with the same id and text they get the first reply again
 * and are not executed again, so a client may retry. The v1 commands carry none: a repeat of the
 * same signed text is a replay and refused.
 */

import { splitVerb } from "./wire.ts";
import { REPLICA_ID } from "./replica_id.ts";
import { SECRET_NAME } from "./secret.ts";
import { base64ToText, textToBase64, toBytes } from "./bytes.ts";
import { MANIFEST_BYTES } from "./limits.ts";

const NAMES = /^(\*|[a-z][a-z0-9-]{0,62}(,[a-z][a-z0-9-]{0,62}){0,63})$/;

/** The kinds of fields that short commands are made of. */
const FIELDS = {
  app: { form: /^[a-z][a-z0-9-]{0,62}$/, says: "an app" },
  node: { form: /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, says: "a node" },
  scope: { form: /^(?:\*|[a-z][a-z0-9-]{0,62})$/, says: "an app or *" },
  how: { form: /^(?:stopped|lost)$/, says: "stopped or lost" },
  count: { form: /^(0|[1-9][0-9]{0,5}|-)$/, says: "a number of replicas or -" },
  sha256: { form: /^[0-9a-f]{64}$/, says: "a SHA-256 in hex" },
  bytes: { form: /^(?:0|[1-9][0-9]{0,14})$/, says: "a length in bytes" },
  name: { form: /^[a-z][a-z0-9-]{0,62}$/, says: "an operator's name" },
  role: { form: /^(admin|deployer|viewer|exec)$/, says: "a role" },
  namespace: { form: /^[a-z][a-z0-9-]{0,62}$/, says: "a namespace" },
  /** `*`, or names with commas between them. */
  namespaces: { form: NAMES, says: "namespaces or *" },
  apps: { form: NAMES, says: "apps or *" },
  /** Unix seconds, or `-` for no end. */
  until: { form: /^(-|[1-9][0-9]{0,11})$/, says: "an end in unix seconds or -" },
  /** A raw ML-DSA-65 public key (1952 bytes) in base64. */
  publicKey: { form: /^[A-Za-z0-9+/]{2602}[A-Za-z0-9+/=]{2}$/, says: "a public key in base64" },
  /** The log's sequence of the command that gave the grant. */
  grant: { form: /^[0-9]{1,15}$/, says: "the number of a grant" },
  /** Most replicas, MiB of RAM and thousandths of a core; `-` for no limit. */
  replicaLimit: { form: /^(-|[0-9]{1,9})$/, says: "a number of replicas or -" },
  ramLimit: { form: /^(-|[0-9]{1,9})$/, says: "MiB of RAM or -" },
  cpuLimit: { form: /^(-|[0-9]{1,9})$/, says: "thousandths of a core or -" },
  /** A daemon's name, as it joined. */
  member: { form: /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, says: "the name of a daemon" },
  hash: { form: /^[0-9a-f]{64}$/, says: "a SHA-256 in hex" },
  log: { form: /^[0-9a-f]{64}$/, says: "the name of a log" },
  identity: { form: /^[0-9a-f]{64}$/, says: "an identity" },
  kind: { form: /^(exec|copy|forward)$/, says: "exec, copy or forward" },
  replica: { form: REPLICA_ID, says: "a replica" },
  /** What the stream is to do, in base64; `-` for nothing. */
  details: { form: /^(-|[A-Za-z0-9+/]{1,16000}={0,2})$/, says: "details in base64 or -" },
  secret: { form: SECRET_NAME, says: "the name of a secret" },
  /** A box of core/live/box.ts in base64. */
  sealed: { form: /^[A-Za-z0-9+/]{1400,100000}={0,2}$/, says: "a sealed secret in base64" },
} as const;

/**
 * Our own commands of the form `VERB|<id>|<field>|...`: which fields each has, in their order. A new
 * one is a line here, its judgement in conductor/commands.ts and its effect in conductor/state.ts.
 */
const SHORT_COMMANDS = {
  DOWN: ["app"],
  /** Nothing more is placed on the node; DRAIN: what runs there moves away, too. */
  CORDON: ["node"],
  DRAIN: ["node"],
  UNCORDON: ["node"],
  /** Replicas move to where there is more room now. */
  REBALANCE: ["scope"],
  /** The app's volumes are given up; `lost`: so is the machine that holds them, which is off. */
  RELEASE: ["app", "how"],
  /** Keeps the app and its routes, and runs none of it. */
  STOP: ["app"],
  START: ["app"],
  /** Replaces all replicas, as a rollout does. */
  RESTART: ["app"],
  /** Sets the number of replicas; `-`: what the manifest says. */
  SCALE: ["app", "count"],
  /** Holds the app's rollout, and lets it go on. */
  PAUSE: ["app"],
  RESUME: ["app"],
  UPLOAD: ["sha256", "bytes"],
  RUN: ["app"],
  OPERATOR: ["name", "role", "namespaces", "apps", "until", "publicKey"],
  GRANT: ["name", "role", "namespaces", "apps", "until"],
  UNGRANT: ["name", "grant"],
  ROTATE: ["name", "publicKey"],
  REVOKE: ["name"],
  QUOTA: ["namespace", "replicaLimit", "ramLimit", "cpuLimit"],
  SECRET: ["namespace", "secret", "sealed"],
  UNSECRET: ["namespace", "secret"],
  /**
   * A stream to a replica: a command beside it, a file in or out, a connection to its port. The same
   * signed text goes to the conductor, which writes it down, and then first in the stream to the node.
   */
  OPEN: ["kind", "app", "replica", "details"],
  /** Whoever has the token of this hash may look at the deck as the operator who signs. */
  DECK: ["hash"],
  /** A daemon is a member no more. */
  FORGET: ["member"],
  /** The log is led by this identity, with a static key of this hash: who led it is lost. */
  SUCCEED: ["log", "identity", "hash"],
} as const satisfies Record<string, readonly (keyof typeof FIELDS)[]>;

type ShortVerb = keyof typeof SHORT_COMMANDS;
type ShortCommand = {
  [V in ShortVerb]:
    & { readonly verb: V; readonly id: string }
    & { readonly [F in (typeof SHORT_COMMANDS)[V][number]]: string };
}[ShortVerb];

export type OperatorCommand =
  | ShortCommand
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
  | { readonly verb: "SUBMIT"; readonly path: string }
  | { readonly verb: "ROLLOUT"; readonly path: string }
  | { readonly verb: "EVICT"; readonly app: string }
  | { readonly verb: "EXEC"; readonly app: string; readonly command: string };

/** Verbs that change or run something, and so must be signed. */
export const SIGNED_VERBS: readonly string[] = [
  "APPLY",
  ...Object.keys(SHORT_COMMANDS),
  "SUBMIT",
  "ROLLOUT",
  "EVICT",
  "EXEC",
];

const ID = /^[A-Za-z0-9-]{8,64}$/;
const APP = FIELDS.app.form;
const GENERATION = /^[1-9][0-9]{0,8}$/;

/**
 * The id in the text of one of our commands, whatever the rest of it is like; `null` where there is
 * none, as in all of v1.
 */
export function commandIdOf(text: string): string | null {
  const [verb, rest] = splitVerb(text);
  if (verb !== "APPLY" && !isShort(verb)) return null;
  const [id] = splitVerb(rest);
  return ID.test(id) ? id : null;
}

/**
 * The answer to such a command as a datagram tells it, `<answer>|<id>`: a late answer also reaches
 * whoever has the port by then, and must not be taken for the answer to another command.
 */
export function withCommandId(answer: string, id: string): string {
  return `${answer}|${id}`;
}

/** The answer in a datagram; `null` where it is not the one to the command of this id. */
export function answerTo(id: string, datagram: string): string | null {
  return datagram.endsWith(`|${id}`) ? datagram.slice(0, -id.length - 1) : null;
}

/** Reads a command (without time and signature); a text with `error` where it is malformed. */
export function parseOperatorCommand(command: string): OperatorCommand | { error: string } {
  const [verb, rest] = splitVerb(command);
  switch (verb) {
    case "APPLY":
      return parseApply(rest);
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
      return isShort(verb) ? parseShort(verb, rest) : { error: "unknown command" };
  }
}

function isShort(verb: string): verb is ShortVerb {
  return Object.hasOwn(SHORT_COMMANDS, verb);
}

function parseShort(verb: ShortVerb, rest: string): OperatorCommand | { error: string } {
  const [id = "", ...values] = rest.split("|");
  if (!ID.test(id)) return { error: `${verb} needs an id of 8 to 64 letters, digits or dashes` };
  const fields = SHORT_COMMANDS[verb];
  const isWell = values.length === fields.length &&
    fields.every((field, at) => FIELDS[field].form.test(values[at]!));
  if (!isWell) {
    return { error: `${verb} needs ${fields.map((field) => FIELDS[field].says).join(" and ")}` };
  }
  const named = Object.fromEntries(fields.map((field, at) => [field, values[at]]));
  return { verb, id, ...named } as OperatorCommand;
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
    case "SUBMIT":
    case "ROLLOUT":
      return `${command.verb}|${command.path}`;
    case "EVICT":
      return `EVICT|${command.app}`;
    case "EXEC":
      return `EXEC|${command.app}|${command.command}`;
    default:
      return formatShort(command);
  }
}

function formatShort(command: ShortCommand): string {
  const values = command as unknown as Readonly<Record<string, string>>;
  return [command.verb, command.id, ...SHORT_COMMANDS[command.verb].map((field) => values[field])]
    .join("|");
}
