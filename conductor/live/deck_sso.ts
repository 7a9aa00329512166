// Single sign-on for the deck: the way to the issuer and back, by the authorization code flow of
// OpenID Connect with PKCE. The issuer is asked only while somebody signs in, and only they wait.

import { getCookies, setCookie } from "@std/http/cookie";
import type { ClientAuth, Configuration, IDToken } from "openid-client";
import type { SsoRefusal } from "../../core/deck_view.ts";
import type { Instant } from "../../core/instant.ts";
import { SSO_ANSWER_S, SSO_SIGN_IN_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { DeckSession } from "../trust/deck_access.ts";
import { grantsText } from "../trust/deck_grants.ts";
import { Refusals } from "../trust/refusals.ts";
import { grantsOf, groupsOf, personOf, SignIns, type SsoSettings } from "../trust/sso.ts";
import type { Visit } from "../trust/visits.ts";

const COOKIE = "deck-sso";
const PATH = "/deck/sso";
const BACK = "/deck/sso/back";

export interface SsoParts {
  readonly settings: SsoSettings;
  now(): Instant;
  /** Writes a sign-in into the log; resolves to why that failed, or `null`. */
  visit(visit: Visit): Promise<string | null>;
  /** Tells the audit of a refusal. */
  refused(text: string): void;
  /** Opens a session and sets its cookie. */
  open(session: DeckSession, headers: Headers): void;
}

/** Somebody is not let in; the browser is told `code`, the audit `message`. */
class NotIn extends Error {
  constructor(readonly code: SsoRefusal, message: string) {
    super(message);
  }
}

export class DeckSso {
  readonly #parts: SsoParts;
  readonly #signIns = new SignIns();
  readonly #refusals = new Refusals("sign-ins");
  #found: Promise<Configuration> | null = null;

  constructor(parts: SsoParts) {
    this.#parts = parts;
  }

  /** Answers `/deck/sso` and what is below it, always by sending the browser elsewhere. */
  async handle(request: Request, url: URL, from: string): Promise<Response> {
    if (request.method !== "GET") return new Response("GET only\n", { status: 405 });
    const headers = new Headers({ "cache-control": "no-store", "referrer-policy": "no-referrer" });
    try {
      if (url.pathname === PATH) headers.set("location", await this.#begin(headers));
      else if (url.pathname === BACK) {
        headers.set("location", await this.#end(request, url, from, headers));
      } else return new Response(`nothing is at ${url.pathname}\n`, { status: 404 });
    } catch (error) {
      if (!(error instanceof NotIn)) throw error;
      this.#tell(from, error);
      headers.set("location", `/deck#/sign-in/${error.code}`);
    }
    return new Response(null, { status: 303, headers });
  }

  /** @returns the issuer's page */
  async #begin(headers: Headers): Promise<string> {
    const oidc = await import("openid-client");
    const config = await this.#configuration();
    const secrets = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
    };
    this.#signIns.begin(secrets, this.#parts.now().monoMs);
    this.#setCookie(headers, secrets.state, SSO_SIGN_IN_MS / 1_000);
    const { deck, scope = "openid profile" } = this.#parts.settings;
    return oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${deck}${BACK}`,
      scope,
      state: secrets.state,
      nonce: secrets.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(secrets.verifier),
      code_challenge_method: "S256",
    }).href;
  }

  /** @returns the deck's page, with a session set */
  async #end(request: Request, url: URL, from: string, headers: Headers): Promise<string> {
    this.#setCookie(headers, "", 0);
    const { settings, now, visit, open } = this.#parts;
    // Only the browser that went to the issuer has the cookie: nobody is signed in by a link.
    const state = url.searchParams.get("state") ?? "";
    const secrets = state !== "" && cookieOf(request) === state
      ? this.#signIns.take(state, now().monoMs)
      : null;
    if (!secrets) throw new NotIn("late", "the sign-in was not begun here, is used or too old");
    const oidc = await import("openid-client");
    const config = await this.#configuration();
    const { claims, idToken } = await this.#claims(url, secrets);
    const person = personOf(claims);
    const who = `${person.name} (${person.subject} of ${settings.issuer})`;
    const grants = grantsOf(groupsOf(claims, settings) ?? [], settings);
    if (grants.length === 0) {
      throw new NotIn("denied", `${who} is in no group that may look at the deck`);
    }
    const failed = await visit({
      ...person,
      issuer: settings.issuer,
      audit: `${who} signed in at the deck from ${from} as ${grantsText(grants)}`,
    });
    if (failed !== null) throw new NotIn("failed", `${who} cannot sign in: ${failed}`);
    const signOut = config.serverMetadata().end_session_endpoint === undefined
      ? {}
      : { signOut: oidc.buildEndSessionUrl(config, { id_token_hint: idToken }).href };
    open({ operator: person.name, grants, ...signOut }, headers);
    return "/deck";
  }

  /** What the issuer says of the person whose code came back; checked by openid-client. */
  async #claims(
    url: URL,
    { state, nonce, verifier }: { state: string; nonce: string; verifier: string },
  ): Promise<{ claims: IDToken; idToken: string }> {
    const oidc = await import("openid-client");
    const config = await this.#configuration();
    const { settings } = this.#parts;
    try {
      const tokens = await oidc.authorizationCodeGrant(
        config,
        new URL(`${settings.deck}${BACK}${url.search}`),
        {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims()!;
      // Many issuers tell groups only where they are asked for them.
      const isTold = groupsOf(claims, settings) !== null ||
        config.serverMetadata().userinfo_endpoint === undefined;
      const more = isTold ? {} : await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
      return { claims: { ...more, ...claims }, idToken: tokens.id_token! };
    } catch (error) {
      // The next one asks anew where everything is.
      this.#found = null;
      throw new NotIn("failed", `${settings.issuer} vouches for nobody: ${causeOf(error)}`);
    }
  }

  /** Where everything is at the issuer; asked once, and again after a failure. */
  async #configuration(): Promise<Configuration> {
    const { issuer } = this.#parts.settings;
    this.#found ??= this.#discover();
    try {
      return await this.#found;
    } catch (error) {
      this.#found = null;
      throw new NotIn("down", `the issuer ${issuer} does not answer: ${causeOf(error)}`);
    }
  }

  async #discover(): Promise<Configuration> {
    const oidc = await import("openid-client");
    const { issuer, client, secret } = this.#parts.settings;
    const authentication: ClientAuth = secret === undefined
      ? oidc.None()
      : (server, ...request) => {
        const known = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
        const by = known.includes("client_secret_basic")
          ? oidc.ClientSecretBasic(secret)
          : oidc.ClientSecretPost(secret);
        return by(server, ...request);
      };
    return await oidc.discovery(new URL(issuer), client, undefined, authentication, {
      timeout: SSO_ANSWER_S,
      execute: [
        // A token is believed for its signature, not only for the connection that it came by.
        oidc.enableNonRepudiationChecks,
        ...(issuer.startsWith("http:") ? [oidc.allowInsecureRequests] : []),
      ],
    });
  }

  #setCookie(headers: Headers, value: string, maxAge: number): void {
    const secure = this.#parts.settings.deck.startsWith("https:");
    // Lax: it must come along when the issuer sends the browser back.
    const cookie = { name: COOKIE, path: PATH, httpOnly: true, sameSite: "Lax" } as const;
    setCookie(headers, { ...cookie, value, maxAge, secure });
  }

  #tell(from: string, { message }: NotIn): void {
    const { monoMs } = this.#parts.now();
    logger("deck").info("single sign-on from {from}: {message}", { from, message });
    if (this.#refusals.tell(from, monoMs)) {
      this.#parts.refused(`a sign-in from ${from} was refused: ${message}`);
    }
    for (const text of this.#refusals.sum(monoMs)) this.#parts.refused(text);
  }
}

/** A cookie of a sign-in, or nothing; a header that is no list of cookies holds none. */
function cookieOf(request: Request): string | undefined {
  try {
    return getCookies(request.headers)[COOKIE];
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What went wrong, and what that came of. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== message
    ? `${message}: ${cause.message}`
    : message;
}
