// Single sign-on for the deck, against a real issuer (the npm package oidc-provider).

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { id, post, signed, withConductor } from "../../conductor/live/rig_test.ts";
import type { SsoSettings } from "../../conductor/trust/sso.ts";
import type { AuditView } from "../../core/view.ts";
import { CLIENT, type Issuer, startIssuer } from "./oidc_issuer.ts";

const DECK = "https://deck.example";

function settingsOf(issuer: string): SsoSettings {
  return {
    issuer,
    client: CLIENT.id,
    secret: CLIENT.secret,
    deck: DECK,
    groups: {
      platform: { role: "admin" },
      "shop-leads": { role: "admin", namespaces: ["shop"] },
      "shop-team": { role: "viewer", namespaces: ["shop"] },
    },
  };
}

function applyIn(namespace: string, app: string): string {
  const manifest = `app ${app} {\n  namespace ${namespace}\n  exec /bin/service\n}\n`;
  return `APPLY|${id()}|${app}|1|-|${btoa(manifest)}`;
}

/** A browser, as far as it matters: cookies, and redirects one by one, behind the proxy at `DECK`. */
class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  constructor(private readonly conductor: string) {}

  async ask(address: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(address);
    const host = url.host;
    const isDeck = url.origin === DECK;
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    const at = isDeck ? new URL(url.pathname + url.search, this.conductor) : url;
    const response = await fetch(at, {
      ...init,
      redirect: "manual",
      headers: {
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
        // As a proxy hands it on: nothing that comes so is near.
        ...(isDeck ? { "x-forwarded-for": "203.0.113.5" } : {}),
      },
      signal: AbortSignal.timeout(20_000),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === "" || /max-age=0/i.test(line)) jar.delete(name!);
      else jar.set(name!, value!);
    }
    return response;
  }

  /** Follows redirects until there are none; where it ended. */
  async walk(address: string): Promise<string> {
    for (let steps = 0; steps < 12; steps++) {
      const response = await this.ask(address);
      await response.body?.cancel();
      const next = response.headers.get("location");
      if (next === null) return address;
      address = new URL(next, address).href;
    }
    throw new Error(`redirected without end, last to ${address}`);
  }

  async status(path: string): Promise<number> {
    const response = await this.ask(DECK + path);
    await response.body?.cancel();
    return response.status;
  }

  forget(): void {
    this.#cookies.clear();
  }
}

async function withSso(
  work: (parts: {
    readonly issuer: Issuer;
    readonly browser: Browser;
    readonly audit: () => Promise<AuditView[]>;
    readonly url: string;
  }) => Promise<void>,
): Promise<void> {
  await using issuer = await startIssuer("127.0.9.71", `${DECK}/deck/sso/back`);
  await withConductor(async (_, url) => {
    const audit = async () => {
      const text = await (await fetch(`${url}/api/audit`)).text();
      return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    };
    await work({ issuer, url, audit, browser: new Browser(url) });
  }, { sso: settingsOf(issuer.url) });
}

Deno.test("Single sign-on for the deck by OpenID Connect maps groups to roles", async () => {
  await withSso(async ({ browser, audit, issuer }) => {
    assertEquals(await browser.status("/api/status"), 403, "who has not signed in sees nothing");
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`);
    assertEquals(await browser.status("/api/status"), 200);
    assertEquals(await browser.status("/api/audit"), 200, "ann's group is of admins");
    const [line] = (await audit()).filter(({ kind }) => kind === "sign-in");
    assertEquals(line!.operator, "sso:ann");
    assert(line!.sequence! > 0, "it stands in the log");
    assertStringIncludes(line!.text, `sso:ann (ann of ${issuer.url}) signed in at the deck`);
    assertMatch(line!.text, /as admin$/);
  });
});

Deno.test("groups that stand only at the userinfo endpoint are asked for there", async () => {
  await withSso(async ({ browser, issuer }) => {
    issuer.groupsInToken = false;
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`);
    assertEquals(await browser.status("/api/audit"), 200);
  });
});

Deno.test("single sign-on shows the deck; changes still need a signing key", async () => {
  await withSso(async ({ browser }) => {
    await browser.walk(`${DECK}/deck/sso`);
    const command = await browser.ask(`${DECK}/command`, {
      method: "POST",
      body: `DOWN|sso-000001|web|${Math.floor(Date.now() / 1_000)}`,
    });
    assertMatch(await command.text(), /^ERR\|UNAUTHORIZED\|/);
    for (const path of ["/follow", "/metrics", `/artifacts/${"0".repeat(64)}`]) {
      assertEquals(await browser.status(path), 403, path);
    }
    const plan = await browser.ask(`${DECK}/api/plan`, { method: "POST", body: "app web {}" });
    assertEquals(plan.status, 403);
    await plan.body?.cancel();
  });
});

Deno.test("a group of some namespaces is shown these, and no audit", async () => {
  await withSso(async ({ browser, issuer, audit, url }) => {
    for (const [app, namespace] of [["web", "shop"], ["vault", "bank"]] as const) {
      assertMatch(await post(url, signed(applyIn(namespace, app))), /^OK\|APPLIED/);
    }
    issuer.person = "bob";
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`);
    assertMatch((await audit()).at(-1)!.text, /as viewer of shop$/);
    const text = async (path: string) => await (await browser.ask(`${DECK}${path}`)).text();
    for (const path of ["status", "apps", "events", "apps/web"]) {
      const shown = await text(`/api/${path}`);
      assertStringIncludes(shown, "web", path);
      assert(!shown.includes("vault"), `${path} shows what is another's: ${shown}`);
    }
    const { body } = await browser.ask(`${DECK}/deck/stream`);
    let seen = "";
    for await (const part of body!.pipeThrough(new TextDecoderStream())) {
      seen += part;
      if (/event:status\n.*"web"/.test(seen)) break;
    }
    assert(!seen.includes("vault"), seen);
    assertEquals(await browser.status("/api/apps/vault"), 404);
    for (
      const path of [
        "audit",
        "log",
        "operators",
        "quotas/shop",
        "secrets",
        "volumes",
        "nodes/node-1",
      ]
    ) {
      assertEquals(await browser.status(`/api/${path}`), 403, path);
    }
    assertEquals(await browser.status("/api/telemetry"), 403);
    assertEquals(await browser.status("/api/apps/elsewhere"), 404);
  });
});

Deno.test("an admin of some namespaces is shown the audit of their apps alone", async () => {
  await withSso(async ({ browser, issuer, url }) => {
    for (const [app, namespace] of [["web", "shop"], ["vault", "bank"]] as const) {
      assertMatch(await post(url, signed(applyIn(namespace, app))), /^OK\|APPLIED/);
    }
    issuer.person = "cid";
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`);
    const audit = await (await browser.ask(`${DECK}/api/audit`)).text();
    assertStringIncludes(audit, '"app":"web"');
    assertEquals(audit.trimEnd().split("\n").length, 1, audit);
    assertEquals(await browser.status("/api/log"), 403);
  });
});

Deno.test("who is in no group that may look is not let in, and the audit says so", async () => {
  await withSso(async ({ browser, issuer, audit }) => {
    issuer.person = "eve";
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck#/sign-in/denied`);
    assertEquals(await browser.status("/api/status"), 403);
    const last = (await audit()).at(-1)!;
    assertEquals(last.kind, "refused");
    assertStringIncludes(last.text, `sso:eve (eve of ${issuer.url}) is in no group`);
  });
});

const SPOILT: Readonly<Record<string, NonNullable<Issuer["spoil"]>>> = {
  "has ended": { claims: (claims) => ({ ...claims, exp: claims.iat! - 60 }) },
  "is for another audience": { claims: (claims) => ({ ...claims, aud: "another-client" }) },
  "is of another issuer": { claims: (claims) => ({ ...claims, iss: "https://elsewhere" }) },
  "answers another sign-in (nonce)": { claims: (claims) => ({ ...claims, nonce: "other" }) },
  "is signed by another key": { alien: true },
};

for (const [how, spoil] of Object.entries(SPOILT)) {
  Deno.test(`a token that ${how} lets nobody in`, async () => {
    await withSso(async ({ browser, issuer, audit }) => {
      issuer.spoil = spoil;
      assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck#/sign-in/failed`);
      assertEquals(await browser.status("/api/status"), 403);
      assertStringIncludes((await audit()).at(-1)!.text, "vouches for nobody");
      issuer.spoil = null;
      assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`, "the next one is good");
    });
  });
}

Deno.test("a code that comes back to another browser, twice or with another state opens nothing", async () => {
  await withSso(async ({ browser, url }) => {
    const begun = await browser.ask(`${DECK}/deck/sso`);
    let back = begun.headers.get("location")!;
    assertMatch(back, /code_challenge_method=S256/);
    while (!back.startsWith(DECK)) {
      const response = await browser.ask(back);
      await response.body?.cancel();
      back = new URL(response.headers.get("location")!, back).href;
    }
    const late = `${DECK}/deck#/sign-in/late`;
    assertEquals(await new Browser(url).walk(back), late, "another browser has no such cookie");
    assertEquals(await browser.walk(`${back}&x=1`.replace(/state=[^&]*/, "state=guessed")), late);
    await browser.walk(`${DECK}/deck/sso`);
    assertEquals(await browser.walk(back), late, "a later sign-in has taken its place");
  });
});

Deno.test("signing out ends the session here, and says where the issuer's ends", async () => {
  await withSso(async ({ browser, issuer }) => {
    await browser.walk(`${DECK}/deck/sso`);
    const stream = await browser.ask(`${DECK}/deck/stream`);
    assertEquals(stream.status, 200);
    const out = await browser.ask(`${DECK}/deck/session`, { method: "DELETE" });
    const { next } = await out.json();
    assert(next.startsWith(`${issuer.url}/session/end?id_token_hint=`));
    assertEquals(await browser.status("/api/status"), 403);
    // The stream that was open ends by itself.
    for await (const part of stream.body!) void part;
    const page = await browser.ask(next);
    assertEquals(page.status, 200);
    await page.body?.cancel();
  });
});

Deno.test("an issuer that is down is said to be, and the deck works by key meanwhile", async () => {
  const issuer = await startIssuer("127.0.9.71", `${DECK}/deck/sso/back`);
  const { port } = new URL(issuer.url);
  await issuer[Symbol.asyncDispose]();
  await withConductor(async (_, url) => {
    const browser = new Browser(url);
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck#/sign-in/down`);
    assertEquals(await browser.status("/deck"), 200);
    assertEquals(await (await fetch(`${url}/deck/session`)).json(), { sso: true });
    assertEquals((await fetch(`${url}/api/status`)).status, 200);
    await using back = await startIssuer("127.0.9.71", `${DECK}/deck/sso/back`, Number(port));
    assertEquals(back.url, issuer.url);
    assertEquals(await browser.walk(`${DECK}/deck/sso`), `${DECK}/deck`, "it is asked anew");
  }, { sso: settingsOf(issuer.url) });
});

Deno.test("a conductor without --sso has no single sign-on", async () => {
  await withConductor(async (_, url) => {
    assertEquals(await (await fetch(`${url}/deck/session`)).json(), { sso: false });
    assertEquals((await fetch(`${url}/deck/sso`)).status, 404);
  });
});
