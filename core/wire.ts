/**
 * The plain commands (v1): UTF-8 text, fields split by `|`, one command a datagram.
 *
 * A datagram may be lost, repeated, delayed or reordered. Reads answer each copy; a signed command
 * is executed once (see `replayKey`). What is malformed is dropped by the receiver and counted,
 * never answered: `decodeDatagram` says so by `null`.
 */

import { isAddress } from "./address.ts";
import { DATAGRAM_BYTES } from "./limits.ts";

/** One ML-DSA-65 signature in hex. */
export const SIGNATURE_HEX = 6618;

/** A command as an operator signed it. */
export interface SignedCommand {
  /** The command, which may contain `|`. */
  readonly command: string;
  /** Unix seconds at which it was signed. */
  readonly unixS: number;
  /** `<command>|<unix seconds>`: the bytes under the signature. */
  readonly text: string;
  /** 6618 lower-case hex characters. */
  readonly signatureHex: string;
}

const UNIX_SECONDS = /^(0|[1-9][0-9]{0,14})$/;
const HEX = /^[0-9a-fA-F]+$/;

/** Reads `<command>|<unix seconds>|<signature>`; `null` where the text has no such shape. */
export function parseSigned(text: string): SignedCommand | null {
  if (text.length < SIGNATURE_HEX + 4 || text.at(-SIGNATURE_HEX - 1) !== "|") return null;
  const head = text.slice(0, -SIGNATURE_HEX - 1);
  const signature = text.slice(-SIGNATURE_HEX);
  const cut = head.lastIndexOf("|");
  const unix = head.slice(cut + 1);
  if (cut < 1 || !UNIX_SECONDS.test(unix) || !HEX.test(signature)) return null;
  return {
    command: head.slice(0, cut),
    unixS: Number(unix),
    text: head,
    signatureHex: signature.toLowerCase(),
  };
}

/** Writes a signed command as it travels. */
export function formatSigned(text: string, signatureHex: string): string {
  return `${text}|${signatureHex}`;
}

/** The verb and the rest of a plain command: `LOGS|api` -> `["LOGS", "api"]`. */
export function splitVerb(command: string): [verb: string, rest: string] {
  const cut = command.indexOf("|");
  return cut < 0 ? [command, ""] : [command.slice(0, cut), command.slice(cut + 1)];
}

/**
 * The text of a received datagram, or `null` if it is to be dropped: empty, longer than
 * `DATAGRAM_BYTES`, not UTF-8 (`decode` must throw then), or with a NUL in it.
 */
export function decodeDatagram(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => string,
): string | null {
  if (bytes.length === 0 || bytes.length > DATAGRAM_BYTES) return null;
  if (bytes.includes(0)) return null;
  try {
    return decode(bytes);
  } catch {
    return null;
  }
}

/** Cuts a reply so that it fits `limit` bytes; `[...]` marks where it lost its end. */
export function fitDatagram(
  text: string,
  byteLength: (text: string) => number,
  limit = DATAGRAM_BYTES,
): string {
  if (byteLength(text) <= limit) return text;
  let keep = Math.min(text.length, limit);
  while (keep > 0 && byteLength(text.slice(0, keep)) > limit - 5) keep -= Math.min(keep, 64);
  return `${text.slice(0, keep)}[...]`.slice(0, limit);
}

/** The tower's plain commands. */
export type TowerCommand =
  | { readonly verb: "REGISTER"; readonly name: string; readonly ip: string; readonly port: number }
  | {
    readonly verb: "DEREGISTER";
    readonly name: string;
    readonly ip: string;
    readonly port: number;
  }
  | { readonly verb: "LOOKUP"; readonly name: string }
  | { readonly verb: "LIST" }
  | { readonly verb: "PING" };

/** The node's plain commands. */
export type NodeCommand =
  | { readonly verb: "PING" }
  | { readonly verb: "STATUS" }
  | { readonly verb: "LOGS"; readonly app: string }
  | { readonly verb: "KILL"; readonly app: string }
  | { readonly verb: "EXEC"; readonly app: string; readonly command: string }
  | { readonly verb: "LAUNCH"; readonly launch: Launch };

/** What a v1 LAUNCH asks for. */
export interface Launch {
  readonly name: string;
  readonly bin: string;
  readonly port: number;
  readonly args: string;
  readonly env: Readonly<Record<string, string>>;
  readonly restart: "always" | "on-failure" | "never";
  readonly drainS: number;
}

/** What arrives at 7770 from nodes that speak v1. */
export type MeshV1 =
  | {
    readonly verb: "HEARTBEAT";
    readonly node: string;
    readonly cpuPercent: number;
    readonly ramFreeMb: number;
    readonly gpu: boolean;
  }
  | {
    readonly verb: "DIED";
    readonly node: string;
    readonly app: string;
    readonly pid: number;
    readonly exitCode: number;
  }
  | {
    readonly verb: "RELAUNCHED";
    readonly node: string;
    readonly app: string;
    readonly pid: number;
  };

/** A command that has a known verb and wrong fields, or no known verb. */
export interface WireError {
  readonly error: string;
}

const NAME = /^[A-Za-z0-9._-]{1,63}$/;
const NODE_ID = /^[0-9a-f]{32}$/;

function integer(text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || !/^-?[0-9]{1,15}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

/** Reads a plain command to the tower. */
export function parseTowerCommand(text: string): TowerCommand | WireError {
  const [verb, rest] = splitVerb(text);
  switch (verb) {
    case "PING":
    case "LIST":
      return { verb };
    case "LOOKUP":
      return NAME.test(rest) ? { verb, name: rest } : { error: "LOOKUP needs a service name" };
    case "REGISTER":
    case "DEREGISTER": {
      const [name = "", ip = "", portText, ...more] = rest.split("|");
      const port = integer(portText, 1, 65_535);
      if (!NAME.test(name)) return { error: `${verb} needs a service name` };
      if (!isAddress(ip)) return { error: `${verb} needs an IP address` };
      if (port === null || more.length > 0) {
        return { error: `${verb} needs a port from 1 to 65535` };
      }
      return { verb, name, ip, port };
    }
    default:
      return { error: "unknown command" };
  }
}

/** Reads a plain command to a node. */
export function parseNodeCommand(text: string): NodeCommand | WireError {
  const [verb, rest] = splitVerb(text);
  switch (verb) {
    case "PING":
    case "STATUS":
      return { verb };
    case "LOGS":
    case "KILL":
      return NAME.test(rest) ? { verb, app: rest } : { error: `${verb} needs an app` };
    case "EXEC": {
      const [app, command] = splitVerb(rest);
      if (!NAME.test(app) || command === "") return { error: "EXEC needs an app and a command" };
      return { verb, app, command };
    }
    case "LAUNCH":
      return parseLaunch(rest);
    default:
      return { error: "unknown command" };
  }
}

function parseLaunch(rest: string): NodeCommand | WireError {
  const fields = new Map<string, string>();
  for (const part of rest.split("|")) {
    const cut = part.indexOf("=");
    if (cut < 1) return { error: `LAUNCH failed: field without a value: ${part.slice(0, 40)}` };
    fields.set(part.slice(0, cut), part.slice(cut + 1));
  }
  const name = fields.get("name") ?? "";
  const bin = fields.get("bin") ?? "";
  const port = integer(fields.get("port") ?? "0", 0, 65_535);
  const restart = fields.get("restart") ?? "always";
  const drainS = integer(fields.get("drain") ?? "5", 0, 86_400);
  if (!NAME.test(name)) return { error: "LAUNCH failed: name is missing or malformed" };
  if (!bin.startsWith("/")) return { error: "LAUNCH failed: bin must be an absolute path" };
  if (port === null) return { error: "LAUNCH failed: port must be from 0 to 65535" };
  if (drainS === null) return { error: "LAUNCH failed: drain must be whole seconds" };
  if (restart !== "always" && restart !== "on-failure" && restart !== "never") {
    return { error: "LAUNCH failed: restart must be always, on-failure or never" };
  }
  const env: Record<string, string> = {};
  for (const pair of (fields.get("env") ?? "").split(",").filter((text) => text !== "")) {
    const cut = pair.indexOf("=");
    if (cut < 1) return { error: "LAUNCH failed: env must be K=V,K=V" };
    env[pair.slice(0, cut)] = pair.slice(cut + 1);
  }
  const launch = { name, bin, port, args: fields.get("args") ?? "", env, restart, drainS } as const;
  return { verb: "LAUNCH", launch };
}

/** Reads a v1 heartbeat or event. */
export function parseMeshV1(text: string): MeshV1 | WireError {
  const [verb = "", node = "", ...fields] = text.split("|");
  if (!["HEARTBEAT", "DIED", "RELAUNCHED"].includes(verb)) return { error: "unknown command" };
  if (!NODE_ID.test(node)) return { error: `${verb} needs a node id of 32 hex characters` };
  if (verb === "HEARTBEAT") {
    const cpuPercent = Number(fields[0]);
    const ramFreeMb = integer(fields[1], 0, 2 ** 40);
    if (!/^[0-9]{1,3}(\.[0-9]{1,6})?$/.test(fields[0] ?? "") || ramFreeMb === null) {
      return { error: "HEARTBEAT needs a CPU percentage and free RAM in MB" };
    }
    return { verb, node, cpuPercent, ramFreeMb, gpu: fields[2] === "GPU=1" };
  }
  const app = fields[0] ?? "";
  const pid = integer(fields[1], 1, 2 ** 31);
  if (!NAME.test(app) || pid === null) return { error: `${verb} needs an app and a pid` };
  if (verb === "RELAUNCHED") return { verb, node, app, pid };
  const exitCode = integer(fields[2], -255, 255);
  if (exitCode === null) return { error: "DIED needs an exit code" };
  return { verb: "DIED", node, app, pid, exitCode };
}

/** The reply to an unsigned, forged, replayed or expired command: it never tells which. */
export const UNAUTHORIZED =
  "ERR|UNAUTHORIZED|sign the command with an authorised key (skr8tr --key FILE) and check the clock";
