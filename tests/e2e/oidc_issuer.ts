// An OpenID Connect issuer for tests: the npm package oidc-provider on a port of its own, with one
// client, a few people, and tokens that a test may spoil on their way out.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
// @ts-types="./oidc_provider.d.ts"
import { Provider } from "oidc-provider";

export const CLIENT = { id: "skr8tr-deck", secret: "a secret of the client and its issuer" };

/** Account -> the groups it is in. */
const PEOPLE: Readonly<Record<string, readonly string[]>> = {
  ann: ["platform", "everybody"],
  bob: ["shop-team"],
  cid: ["shop-leads"],
  eve: ["everybody"],
};

export interface Issuer extends AsyncDisposable {
  readonly url: string;
  /** Who signs in next, where no form is shown; `null`: the form asks. */
  person: string | null;
  /** Whether the groups stand in the ID token, and not only at the userinfo endpoint. */
  groupsInToken: boolean;
  /** Changes what the next ID tokens say; `alien` signs them with a key that is not the issuer's. */
  spoil: { readonly claims?: (claims: JWTPayload) => JWTPayload; readonly alien?: true } | null;
}

/** @param redirect what the client may be sent back to */
export async function startIssuer(
  hostname: string,
  redirect: string,
  port = 0,
): Promise<Issuer> {
  const own = await generateKeyPair("RS256", { extractable: true });
  const alien = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...await exportJWK(own.privateKey), kid: "own", alg: "RS256", use: "sig" };
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, hostname, resolve));
  const url = `http://${hostname}:${(server.address() as { port: number }).port}`;
  const issuer: Issuer = {
    url,
    person: "ann",
    groupsInToken: true,
    spoil: null,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const provider = new Provider(url, {
    clients: [{
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      redirect_uris: [redirect],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    }],
    jwks: { keys: [jwk] },
    cookies: { keys: ["of a test"] },
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    // The claims of `profile` stand in the ID token only where this says so.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, userinfo: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: (use: string) => ({
        sub,
        ...(use === "id_token" && !issuer.groupsInToken
          ? {}
          : { preferred_username: sub, groups: [...PEOPLE[sub] ?? []] }),
      }),
    }),
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({
        clientId: client!.clientId,
        accountId: session!.accountId!,
      });
      grant.addOIDCScope("openid profile");
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    await next();
    const { body } = ctx as { body?: { id_token?: string } };
    if (ctx.path !== "/token" || !body?.id_token || !issuer.spoil) return;
    const { claims = (same: JWTPayload) => same } = issuer.spoil;
    const payload = JSON.parse(
      atob(body.id_token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/")),
    );
    const key = issuer.spoil.alien ? alien.privateKey : own.privateKey;
    body.id_token = await new SignJWT(claims(payload))
      .setProtectedHeader({ alg: "RS256", kid: "own" }).sign(key);
  });
  const answer = provider.callback();
  server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith("/interaction/")) return answer(request, response);
    const asked = new URL(request.url, url).searchParams.get("person");
    const person = asked ?? issuer.person;
    if (person === null) {
      response.setHeader("content-type", "text/html");
      response.end(`<form><input name="person"><button>Let me in</button></form>`);
      return;
    }
    await provider.interactionFinished(request, response, { login: { accountId: person } });
  });
  return issuer;
}
