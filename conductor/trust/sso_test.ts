import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { SSO_SIGN_IN_MS, SSO_SIGN_INS } from "../../core/limits.ts";
import { grantsText, isAuditor, shows, showsAudit } from "./deck_grants.ts";
import { grantsOf, groupsOf, parseSsoSettings, personOf, SignIns } from "./sso.ts";

const FILE = {
  issuer: "https://login.example",
  client: "deck",
  deck: "https://deck.example/",
  groups: {
    platform: { role: "admin" },
    shop: { role: "viewer", namespaces: ["shop"] },
    shoppers: { role: "viewer", namespaces: ["shop"] },
  },
};

const settings = parseSsoSettings(JSON.stringify(FILE), "sso.json");

Deno.test("parseSsoSettings() says what is wrong, and where", () => {
  assertEquals(settings.deck, "https://deck.example");
  const cases: readonly [object, string][] = [
    [{ issuer: 5 }, "issuer: expected text"],
    [{ issuer: "http://login.example" }, "issuer must be an https:// address"],
    [{ deck: "deck.example" }, "deck must be an https:// address"],
    [{ groups: {} }, "groups names none"],
    [{ groups: { x: { role: "king" } } }, "groups.x.role: expected admin or"],
    [{ groups: { x: { role: "viewer", namespaces: ["A b"] } } }, "groups.x.namespaces[0]"],
  ];
  for (const [over, message] of cases) {
    assertThrows(
      () => parseSsoSettings(JSON.stringify({ ...FILE, ...over }), "sso.json"),
      Failure,
      message,
    );
  }
  assertThrows(() => parseSsoSettings("{", "sso.json"), Failure, "sso.json does not set up");
  parseSsoSettings(JSON.stringify({ ...FILE, issuer: "http://127.0.0.1:9" }), "on loopback");
});

Deno.test("groupsOf() reads a list or one group, and nothing else", () => {
  assertEquals(groupsOf({ groups: ["a", "b"] }, settings), ["a", "b"]);
  assertEquals(groupsOf({ groups: "a" }, settings), ["a"]);
  assertEquals(groupsOf({ roles: ["a"] }, { ...settings, claim: "roles" }), ["a"]);
  for (const groups of [undefined, 5, [5], { a: 1 }]) {
    assertEquals(groupsOf({ groups }, settings), null);
  }
});

Deno.test("grantsOf() gives what the groups are granted, once", () => {
  const shop = { role: "viewer", namespaces: ["shop"] } as const;
  assertEquals(grantsOf(["shop", "shoppers", "other"], settings), [shop]);
  assertEquals(grantsOf(["other", "__proto__"], settings), []);
  const both = grantsOf(["platform", "shop"], settings);
  assertEquals(grantsText(both), "admin, viewer of shop");
});

Deno.test("shows() and showsAudit() go by role and namespace", () => {
  const viewer = [{ role: "viewer", namespaces: ["shop"] }] as const;
  assertEquals([shows(viewer), shows(viewer, "shop"), shows(viewer, "bank")], [false, true, false]);
  assertEquals([showsAudit(viewer, "shop"), isAuditor(viewer)], [false, false]);
  const admin = [{ role: "admin", namespaces: ["shop"] }, ...viewer] as const;
  assertEquals([showsAudit(admin), showsAudit(admin, "shop"), isAuditor(admin)], [
    ...[false, true, true],
  ]);
  assertEquals([shows(null), showsAudit(null), isAuditor(null)], [true, true, true]);
});

Deno.test("personOf() keeps what others chose on one line, and apart from operators' names", () => {
  assertEquals(personOf({ sub: "7", email: "ann@example", preferred_username: "" }), {
    name: "sso:ann@example",
    subject: "7",
  });
  assertEquals(personOf({ sub: "7", preferred_username: "a\nb\u202e" }).name, "sso:a b");
});

Deno.test("SignIns gives each out once and in time, and keeps a bounded number", () => {
  const signIns = new SignIns();
  const secrets = (state: string) => ({ state, nonce: "n", verifier: "v" });
  signIns.begin(secrets("one"), 0);
  assertEquals(signIns.take("other", 1), null);
  assertEquals(signIns.take("one", SSO_SIGN_IN_MS), secrets("one"));
  assertEquals(signIns.take("one", 1), null);
  signIns.begin(secrets("late"), 0);
  assertEquals(signIns.take("late", SSO_SIGN_IN_MS + 1), null);
  for (let at = 0; at <= SSO_SIGN_INS; at++) signIns.begin(secrets(`${at}`), 0);
  assertEquals(signIns.take("0", 1), null);
  assertEquals(signIns.take("1", 1), secrets("1"));
});
