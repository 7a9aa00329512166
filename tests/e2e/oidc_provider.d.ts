// Types of what the tests use of the npm package oidc-provider, which carries none.

import type { IncomingMessage, ServerResponse } from "node:http";

interface Grant {
  addOIDCScope(scope: string): void;
  save(): Promise<string>;
}

export interface Context {
  readonly path: string;
  body?: unknown;
  readonly oidc: {
    readonly client?: { readonly clientId: string };
    readonly session?: { readonly accountId?: string };
    readonly provider: {
      readonly Grant: new (of: { clientId: string; accountId: string }) => Grant;
    };
  };
}

export interface Configuration {
  clients: readonly object[];
  jwks: { keys: readonly object[] };
  cookies: { keys: readonly string[] };
  claims: Readonly<Record<string, readonly string[]>>;
  conformIdTokenClaims: boolean;
  pkce: { required(): boolean };
  features: Readonly<Record<string, { enabled: boolean }>>;
  interactions: { url(context: Context, interaction: { readonly uid: string }): string };
  findAccount(context: Context, sub: string): {
    readonly accountId: string;
    claims(use: string): Record<string, unknown>;
  };
  loadExistingGrant(context: Context): Promise<Grant>;
}

export class Provider {
  constructor(issuer: string, configuration: Configuration);
  use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  interactionFinished(
    request: IncomingMessage,
    response: ServerResponse,
    result: { readonly login: { readonly accountId: string } },
  ): Promise<void>;
}
