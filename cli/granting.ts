// What --role, --namespace, --app, --until and --pubkey say.

import { Failure } from "../core/errors.ts";
import { ROLES } from "../core/roster.ts";
import { PUBLIC_KEY_BYTES } from "../core/signed.ts";
import type { Arguments } from "./arguments.ts";

/** A grant as a command carries it. */
export interface GrantFields {
  readonly role: string;
  readonly namespaces: string;
  readonly apps: string;
  readonly until: string;
}

/** @throws {Failure} `usage`. */
export function grantOf(args: Arguments, nowMs: number): GrantFields {
  const role = args.value("role") ?? "deployer";
  if (!(ROLES as readonly string[]).includes(role)) {
    throw new Failure("usage", `--role needs one of ${ROLES.join(", ")}, not ${role}`);
  }
  return {
    role,
    namespaces: names(args, "namespace"),
    apps: names(args, "app"),
    until: untilOf(args.value("until"), nowMs),
  };
}

function names(args: Arguments, option: string): string {
  const text = args.value(option);
  if (text === undefined) return "*";
  const list = text.split(",");
  const wrong = list.find((name) => !/^[a-z][a-z0-9-]{0,62}$/.test(name));
  if (wrong !== undefined) throw new Failure("usage", `--${option} ${wrong}: that is no name`);
  return list.join(",");
}

const UNIT_S = { m: 60, h: 3_600, d: 86_400 } as const;

/** The end of a grant in unix seconds; `-` for none. @throws {Failure} `usage`. */
export function untilOf(text: string | undefined, nowMs: number): string {
  if (text === undefined) return "-";
  const [, number, unit] = /^([0-9]{1,6})(m|h|d)$/.exec(text) ?? [];
  const endMs = number === undefined
    ? /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : NaN
    : nowMs + Number(number) * UNIT_S[unit as keyof typeof UNIT_S] * 1_000;
  if (Number.isNaN(endMs)) {
    throw new Failure("usage", `--until needs 30d, 12h, 90m or a date, not ${text}`);
  }
  if (endMs <= nowMs) throw new Failure("usage", `--until ${text} is past`);
  return String(Math.floor(endMs / 1_000));
}

/** The public key of `--pubkey` in base64. @throws {Failure} `usage`, `no-key`. */
export async function publicKeyOf(args: Arguments): Promise<string> {
  const path = args.value("pubkey");
  if (path === undefined) {
    throw new Failure("usage", "give --pubkey FILE: the public key that skr8tr keygen wrote");
  }
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new Failure("no-key", `cannot read ${path}: ${(error as Error).message}`);
  }
  if (bytes.length === PUBLIC_KEY_BYTES) return bytes.toBase64();
  throw new Failure(
    "no-key",
    `${path} is no ML-DSA-65 public key: ${bytes.length} bytes, not ${PUBLIC_KEY_BYTES}`,
  );
}
