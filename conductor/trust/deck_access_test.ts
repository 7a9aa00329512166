import { assertEquals } from "@std/assert";
import { sha256Hex } from "../../core/bytes.ts";
import { DECK_LINK_MS, DECK_SESSION_MS, DECK_SESSIONS, SSO_SESSION_MS } from "../../core/limits.ts";
import { DeckAccess } from "./deck_access.ts";

const BOB = { operator: "bob", grants: null };

Deno.test("DeckAccess lets the token of a signed hash open one session", () => {
  const access = new DeckAccess();
  access.admit(sha256Hex("token"), "alice", 0);
  assertEquals(access.redeem("other", "secret", 1), null);
  assertEquals(access.redeem("token", "secret", 1), "alice");
  assertEquals(access.sessionOf("secret", 2), { operator: "alice", grants: null });
  assertEquals(access.redeem("token", "again", 2), null, "a link is used once");
  assertEquals(access.sessionOf("again", 2), null);
});

Deno.test("DeckAccess lets links and sessions end, those of single sign-on sooner", () => {
  const access = new DeckAccess();
  access.admit(sha256Hex("late"), "alice", 0);
  assertEquals(access.redeem("late", "secret", DECK_LINK_MS + 1), null);
  access.open("secret", BOB, 0);
  assertEquals(access.sessionOf("secret", DECK_SESSION_MS), BOB);
  assertEquals(access.sessionOf("secret", DECK_SESSION_MS + 1), null);
  const ann = { operator: "sso:ann", grants: [{ role: "viewer", namespaces: [] }] } as const;
  access.open("by issuer", ann, 0);
  assertEquals(access.sessionOf("by issuer", SSO_SESSION_MS), ann);
  assertEquals(access.sessionOf("by issuer", SSO_SESSION_MS + 1), null);
  access.open("closed", BOB, 0);
  access.close("closed");
  assertEquals(access.sessionOf("closed", 1), null);
});

Deno.test("DeckAccess keeps a bounded number of sessions, the newest", () => {
  const access = new DeckAccess();
  for (let at = 0; at <= DECK_SESSIONS; at++) access.open(`secret ${at}`, BOB, 0);
  assertEquals(access.sessionOf("secret 0", 1), null);
  assertEquals(access.sessionOf("secret 1", 1), BOB);
  assertEquals(access.sessionOf(`secret ${DECK_SESSIONS}`, 1), BOB);
});
