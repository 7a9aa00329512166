/**
 * Single sign-on by OpenID Connect, as far as it is no business of the network: the settings, who
 * the issuer's claims speak of, and the sign-ins that are under way.
 */

import { sha256Hex } from "../../core/bytes.ts";
import { Failure } from "../../core/errors.ts";
import { SSO_SIGN_IN_MS, SSO_SIGN_INS } from "../../core/limits.ts";
import { ROLES } from "../../core/roster.ts";
import {
  list,
  map,
  maybe,
  oneOf,
  type Shaped,
  ShapeError,
  struct,
  text,
} from "../../core/shape.ts";
import type { DeckGrant } from "./deck_grants.ts";

const settingsShape = struct({
  /** Where the issuer is: its discovery document is below this. */
  issuer: text(500),
  /** Our name at the issuer. */
  client: text(200),
  /** What proves that name; without it PKCE alone does. */
  secret: maybe(text(500)),
  /** The deck's address as browsers see it; `<deck>/deck/sso/back` is what the issuer sends back to. */
  deck: text(500),
  scope: maybe(text(200)),
  /** The claim that lists the groups. */
  claim: maybe(text(100)),
  groups: map(
    struct({
      role: oneOf(...ROLES),
      namespaces: maybe(list(text(63, /^[a-z][a-z0-9-]{0,62}$/), 64)),
    }),
    1_000,
  ),
});

export type SsoSettings = Shaped<typeof settingsShape>;

/** Reads what `--sso FILE` holds. @throws {Failure} `usage`, with the place of what is wrong. */
export function parseSsoSettings(json: string, path: string): SsoSettings {
  const wrong = (why: string) =>
    new Failure("usage", `${path} does not set up single sign-on: ${why}`);
  let settings: SsoSettings;
  try {
    settings = settingsShape(JSON.parse(json));
  } catch (error) {
    if (error instanceof ShapeError || error instanceof SyntaxError) throw wrong(error.message);
    throw error;
  }
  for (const key of ["issuer", "deck"] as const) {
    if (!/^(https:\/\/|http:\/\/(127\.[0-9.]+|localhost|\[::1\])(:|\/|$))/.test(settings[key])) {
      throw wrong(`${key} must be an https:// address (http:// only on loopback)`);
    }
  }
  if (Object.keys(settings.groups).length === 0) {
    throw wrong("groups names none, so nobody comes in");
  }
  return { ...settings, deck: settings.deck.replace(/\/+$/, "") };
}

/** Who signed in, by the issuer's word. */
export interface SsoPerson {
  /** `sso:` and the name that the issuer gives them; no operator is called so. */
  readonly name: string;
  /** The issuer's own name of them, which no other person ever has. */
  readonly subject: string;
}

/** The groups among the claims; `null` where the claim is missing or is no list of texts. */
export function groupsOf(
  claims: Readonly<Record<string, unknown>>,
  { claim = "groups" }: SsoSettings,
): readonly string[] | null {
  const groups = claims[claim];
  if (typeof groups === "string") return [groups];
  return Array.isArray(groups) && groups.every((each) => typeof each === "string") ? groups : null;
}

/** What these groups are granted, each once. */
export function grantsOf(groups: readonly string[], settings: SsoSettings): DeckGrant[] {
  const grants = Object.entries(settings.groups)
    .filter(([group]) => groups.includes(group))
    .map(([, { role, namespaces = [] }]) => JSON.stringify({ role, namespaces }));
  return [...new Set(grants)].map((each) => JSON.parse(each));
}

export function personOf(claims: Readonly<Record<string, unknown>>): SsoPerson {
  const words = [claims.preferred_username, claims.email, claims.sub];
  const name = words.find((each) => typeof each === "string" && each !== "");
  return { name: `sso:${oneLine(String(name))}`, subject: oneLine(String(claims.sub)) };
}

/** What others chose must not break a line of the audit, nor hide in it. */
function oneLine(text: string): string {
  return text.replace(/[\p{C}\s]+/gu, " ").trim().slice(0, 100);
}

/** What must be remembered between the way to the issuer and back. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** The sign-ins under way. They are bounded: anybody may begin one. */
export class SignIns {
  readonly #waiting = new Map<string, { secrets: SignInSecrets; untilMonoMs: number }>();

  begin(secrets: SignInSecrets, nowMonoMs: number): void {
    this.#waiting.set(sha256Hex(secrets.state), {
      secrets,
      untilMonoMs: nowMonoMs + SSO_SIGN_IN_MS,
    });
    if (this.#waiting.size > SSO_SIGN_INS) {
      this.#waiting.delete(this.#waiting.keys().next().value!);
    }
  }

  /** Takes one out, once and in time; `null` where nobody began it. */
  take(state: string, nowMonoMs: number): SignInSecrets | null {
    const key = sha256Hex(state);
    const found = this.#waiting.get(key);
    this.#waiting.delete(key);
    return found && nowMonoMs <= found.untilMonoMs ? found.secrets : null;
  }
}
