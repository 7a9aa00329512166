import { assertEquals } from "@std/assert";
import { sha256Hex } from "../core/bytes.ts";
import { DECK_LINK_MS, DECK_SESSION_MS, DECK_SESSIONS } from "../core/limits.ts";
import { DeckAccess } from "./deck_access.ts";

Deno.test("DeckAccess lets the token of a signed hash open one session", () => {
  const access = new DeckAccess();
  access.admit(sha256Hex("token"), "alice", 0);
  assertEquals(access.redeem("other", "secret", 1), null);
  assertEquals(access.redeem("token", "secret", 1), "alice");
  assertEquals(access.operatorOf("secret", 2), "alice");
  assertEquals(access.redeem("token", "again", 2), null, "a link is used once");
  assertEquals(access.operatorOf("again", 2), null);
});

Deno.test("DeckAccess lets links and sessions end", () => {
  const access = new DeckAccess();
  access.admit(sha256Hex("late"), "alice", 0);
  assertEquals(access.redeem("late", "secret", DECK_LINK_MS + 1), null);
  access.open("secret", "bob", 0);
  assertEquals(access.operatorOf("secret", DECK_SESSION_MS), "bob");
  assertEquals(access.operatorOf("secret", DECK_SESSION_MS + 1), null);
  access.open("closed", "bob", 0);
  access.close("closed");
  assertEquals(access.operatorOf("closed", 1), null);
});

Deno.test("DeckAccess keeps a bounded number of sessions, the newest", () => {
  const access = new DeckAccess();
  for (let at = 0; at <= DECK_SESSIONS; at++) access.open(`secret ${at}`, "bob", 0);
  assertEquals(access.operatorOf("secret 0", 1), null);
  assertEquals(access.operatorOf("secret 1", 1), "bob");
  assertEquals(access.operatorOf(`secret ${DECK_SESSIONS}`, 1), "bob");
});
