import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  ATTEMPT_WINDOW_MS,
  ATTEMPTS_PER_ACCOUNT,
  ATTEMPTS_PER_ACCOUNT_AND_CLIENT,
  KEY_AHEAD_MS,
  KEY_LIFE_MS,
  REGISTRATIONS_PER_CLIENT,
  REVOKED_PER_USER,
  REVOKED_READ_MS,
  SESSION_MS,
} from "../../kit/limits.ts";
import { eachStore, openAt } from "../../kit/testing_stores.ts";
import {
  ADDRESS,
  eachShape,
  startMarket,
  type TestMarket,
  withMarket,
} from "../../testing_market.ts";
import { createPasswords } from "./password.ts";
import { MIGRATIONS } from "./store.ts";

const account = { email: "Ada@Shop.test", name: "Ada Byron", password: "correct horse" };
const login = (market: TestMarket, given: Record<string, string> = {}, from?: string) =>
  market.ask("user-svc", "POST /login", {
    json: { email: account.email, password: account.password, ...given },
    headers: from ? { "x-forwarded-for": from } : {},
  });

eachShape("register, sign in, change the profile", async (market) => {
  const made = await market.ask("user-svc", "POST /register", { json: account });
  assertEquals(made.status, 201);
  const { id } = made.body.user;
  assertMatch(id, /^[0-9a-f-]{36}$/);
  assertEquals(made.body.user.email, "ada@shop.test");
  assert(!JSON.stringify(made.body).includes("scrypt"));
  const taken = await market.ask("user-svc", "POST /register", {
    json: { ...account, email: "ADA@shop.test" },
  });
  assertEquals([taken.status, taken.body.field], [409, "email"]);
  const signedIn = await login(market, { email: "ada@SHOP.test" });
  assertEquals(signedIn.status, 200);
  const { session } = signedIn.body;
  const json = { name: "Ada Lovelace", address: { ...ADDRESS, line2: "3rd floor" } };
  const changed = await market.ask("user-svc", `PUT /profile/${id}`, { session, json });
  assertEquals(changed.body, { ...made.body.user, ...json });
  const read = await market.ask("user-svc", `GET /profile/${id}`, { session });
  assertEquals(read.body, changed.body);
});

eachShape("a wrong password and an unknown email are told the same", async (market) => {
  await market.ask("user-svc", "POST /register", { json: account });
  const wrong = await login(market, { password: "correct horsf" });
  const unknown = await login(market, { email: "nobody@shop.test" });
  assertEquals([wrong.status, wrong.body], [401, unknown.body]);
  assertEquals(unknown.status, 401);
});

eachShape(
  "tries to sign in are limited by account and client, and forgiven in time",
  async (market) => {
    await market.ask("user-svc", "POST /register", { json: account });
    for (let at = 0; at < ATTEMPTS_PER_ACCOUNT_AND_CLIENT; at++) {
      assertEquals((await login(market, { password: "wrong" }, "203.0.113.9")).status, 401);
    }
    const limited = await login(market, {}, "203.0.113.9");
    assertEquals([limited.status, limited.body.field], [429, "email"]);
    assertEquals(limited.headers.get("retry-after"), String(ATTEMPT_WINDOW_MS / 1_000));
    // Who tries from elsewhere does not lock the owner out.
    assertEquals((await login(market, {}, "198.51.100.1")).status, 200);
    market.advance(ATTEMPT_WINDOW_MS + 1);
    assertEquals((await login(market, {}, "203.0.113.9")).status, 200);
  },
);

eachShape(
  "signing in rightly clears the count; parallel tries do not get past it",
  async (market) => {
    await market.ask("user-svc", "POST /register", { json: account });
    for (let round = 0; round < 3; round++) {
      for (let at = 1; at < ATTEMPTS_PER_ACCOUNT_AND_CLIENT; at++) {
        await login(market, { password: "wrong" });
      }
      assertEquals((await login(market)).status, 200);
    }
    const tries = await Promise.all(
      Array.from({ length: 40 }, () => login(market, { password: "wrong" })),
    );
    const judged = tries.filter((each) => each.status === 401);
    assertEquals(judged.length, ATTEMPTS_PER_ACCOUNT_AND_CLIENT);
    assertEquals(tries.filter((each) => each.status === 429).length, 30);
  },
);

eachStore("sessions outlive a restart, and SESSION_SECRET makes them portable", async (place) => {
  const first = await startMarket(place);
  const ada = await first.register();
  await first.close();
  const profile = (market: TestMarket) =>
    market.ask("user-svc", `GET /profile/${ada.id}`, { session: ada.session });
  const second = await startMarket(place);
  assertEquals((await profile(second)).status, 200);
  await second.close();
  const third = await startMarket(place, { SESSION_SECRET: "one" });
  assertEquals((await profile(third)).status, 401);
  const bob = await third.register("Bob").catch(() => undefined);
  await third.close();
  assert(bob === undefined, "the first buyer's email is still taken");
});

eachStore("what is stored of a password is a slow salted hash", async (place) => {
  await withMarket(place, async (market) => {
    for (const email of ["a@shop.test", "b@shop.test"]) {
      await market.ask("user-svc", "POST /register", { json: { ...account, email } });
    }
  });
  const database = await openAt(place, { name: "user-svc", migrations: MIGRATIONS });
  const rows = await database.query<{ password_hash: string }>("select password_hash from users");
  await database.close();
  const [a, b] = rows.map((each) => each.password_hash);
  assertNotEquals(a, b);
  assertMatch(a!, /^scrypt\$2\$1\$1\$[0-9a-f]{32}\$[0-9a-f]{64}$/);
});

Deno.test("passwords: the default cost is OWASP's, equal passwords hash differently, and verify", async () => {
  const passwords = createPasswords();
  const hashed = await passwords.hash("Pässwort");
  assertMatch(hashed, /^scrypt\$32768\$8\$3\$/);
  assert(await passwords.verify("Pa\u0308sswort", hashed), "composed and decomposed are the same");
  assert(!await passwords.verify("Passwort", hashed));
  assert(!await passwords.verify("Pässwort", undefined));
});

eachShape("keys are replaced without a session being lost", async (market) => {
  const json = account;
  const { session, user } = (await market.ask("user-svc", "POST /register", { json })).body;
  const kidOf = (token: string) => JSON.parse(atob(token.split(".")[0]!)).kid;
  const kids = async () =>
    (await market.ask("user-svc", "GET /keys")).body.keys.map((key: { kid: string }) => key.kid);
  const orders = async (with_: string) =>
    (await market.ask("order-svc", `GET /orders/user/${user.id}`, { session: with_ })).status;
  assertEquals(await orders(session), 200);
  market.advance(KEY_LIFE_MS + 1);
  const { session: second } = (await login(market)).body;
  assertEquals((await kids()).length, 2, "the next key is shown");
  assertEquals(kidOf(second), kidOf(session), "and does not sign yet");
  market.advance(KEY_AHEAD_MS);
  const { session: third } = (await login(market)).body;
  assertNotEquals(kidOf(third), kidOf(session));
  // Nobody was told: who checks finds the key by itself, and the old one is still good.
  assertEquals([await orders(third), await orders(second)], [200, 200]);
  market.advance(SESSION_MS + 2 * KEY_AHEAD_MS);
  assertEquals(await kids(), [kidOf(third)], "what signed nothing that is still good is gone");
});

Deno.test("only staff replaces keys, and a new key is known to who checks before it signs", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const staff = { STAFF_EMAIL: "Boss@shop.test", STAFF_PASSWORD: "a long sentence" };
  const market = await startMarket({ folder }, staff, "five");
  try {
    const buyer = await market.register();
    const rotate = (session: string) => market.ask("user-svc", "POST /keys/rotate", { session });
    const refused = await rotate(buyer.session);
    assertEquals([refused.status, refused.body.field], [403, "session"]);
    const { body } = await login(market, { email: "boss@shop.test", password: "a long sentence" });
    const rotated = await rotate(body.session);
    assertEquals([rotated.status, rotated.body.keys.length], [201, 2]);
  } finally {
    await market.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("an account that there was becomes staff's with its setting, and its old sessions end", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const email = "boss@shop.test";
  const rotate = (market: TestMarket, session: string) =>
    market.ask("user-svc", "POST /keys/rotate", { session });
  try {
    const before = await startMarket({ folder }, {}, "five");
    const json = { ...account, email };
    const { session } = (await before.ask("user-svc", "POST /register", { json })).body;
    assertEquals((await rotate(before, session)).status, 403);
    await before.close();
    const staff = { STAFF_EMAIL: email, STAFF_PASSWORD: "a long sentence" };
    const after = await startMarket({ folder }, staff, "five");
    assertEquals((await rotate(after, session)).status, 401);
    assertEquals((await login(after, { email })).status, 401);
    const signedIn = await login(after, { email, password: staff.STAFF_PASSWORD });
    assertEquals((await rotate(after, signedIn.body.session)).status, 201);
    await after.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

eachShape("accounts from one client are limited", async (market) => {
  const open = async (at: number) =>
    (await market.ask("user-svc", "POST /register", {
      json: { ...account, email: `a${at}@shop.test` },
      headers: { "x-forwarded-for": "203.0.113.7" },
    })).status;
  for (let at = 0; at < REGISTRATIONS_PER_CLIENT; at++) await open(at);
  assertEquals(await open(REGISTRATIONS_PER_CLIENT), 429);
  market.advance(ATTEMPT_WINDOW_MS + 1);
  assertEquals(await open(REGISTRATIONS_PER_CLIENT), 201);
});

/** What a session opens: at user-svc itself, and where others check it. */
async function opens(market: TestMarket, id: string, session: string): Promise<number[]> {
  const asked = [
    market.ask("user-svc", `GET /profile/${id}`, { session }),
    market.ask("order-svc", `GET /orders/user/${id}`, { session }),
    market.ask("review-svc", "POST /reviews/9", { session, json: {} }),
  ];
  return (await Promise.all(asked)).map(({ status }) => status);
}
/** A review without words is refused for that, and not for who writes it. */
const OPEN = [200, 200, 400];
const SHUT = [401, 401, 401];

eachShape("who signs out ends that session, here at once and elsewhere soon", async (market) => {
  const { session, user } =
    (await market.ask("user-svc", "POST /register", { json: account })).body;
  const { session: other } = (await login(market)).body;
  assertEquals(await opens(market, user.id, session), OPEN);
  const out = () => market.ask("user-svc", "POST /logout", { session });
  assertEquals((await out()).status, 204);
  assertEquals((await opens(market, user.id, session))[0], 401, "user-svc knows at once");
  market.advance(REVOKED_READ_MS);
  assertEquals(await opens(market, user.id, session), SHUT);
  assertEquals(await opens(market, user.id, other), OPEN, "the other one is as good as before");
  const again = await out();
  assertEquals([again.status, again.body.field], [401, "session"]);
  assert(again.body.error.includes("signed out"), again.body.error);
});

eachShape(
  "signing out everywhere, or another password, ends all that there are",
  async (market) => {
    const { session, user } =
      (await market.ask("user-svc", "POST /register", { json: account })).body;
    const eve = await market.register("Eve Other");
    const second = (await login(market)).body.session;
    const out = await market.ask("user-svc", "POST /logout/everywhere", { session });
    assertEquals(out.status, 204);
    const third = (await login(market)).body.session;
    market.advance(REVOKED_READ_MS);
    for (const each of [session, second]) assertEquals(await opens(market, user.id, each), SHUT);
    assertEquals(await opens(market, user.id, third), OPEN, "who signs in after it is in");
    assertEquals(await opens(market, eve.id, eve.session), OPEN, "nobody else is meant");

    const change = (json: object, by = third) =>
      market.ask("user-svc", "POST /password", { session: by, json });
    const wrong = await change({ password: "wrong", new_password: "battery staple" });
    assertEquals([wrong.status, wrong.body.field], [403, "password"]);
    const short = await change({ password: account.password, new_password: "short" });
    assertEquals([short.status, short.body.field], [400, "new_password"]);
    assertEquals(await opens(market, user.id, third), OPEN, "what is refused ends nothing");
    const changed = await change({ password: account.password, new_password: "battery staple" });
    assertEquals(changed.status, 200);
    market.advance(REVOKED_READ_MS);
    assertEquals(await opens(market, user.id, third), SHUT);
    assertEquals(await opens(market, user.id, changed.body.session), OPEN);
    assertEquals((await login(market)).status, 401);
    assertEquals((await login(market, { password: "battery staple" })).status, 200);
  },
);

const changePassword = (market: TestMarket, session: string, json: object, from?: string) =>
  market.ask("user-svc", "POST /password", {
    session,
    json,
    headers: from ? { "x-forwarded-for": from } : {},
  });

eachShape(
  "whoever found a session open guesses the password no more than at sign-in",
  async (market) => {
    const { session, user } =
      (await market.ask("user-svc", "POST /register", { json: account })).body;
    const { session: other } = (await login(market)).body;
    const [here, elsewhere] = ["203.0.113.9", "198.51.100.1"];
    const guess = (from: string, password = "wrong") =>
      changePassword(market, session, { password, new_password: "battery staple" }, from);
    // Both count as one: half of the tries at each.
    for (let at = 0; at < ATTEMPTS_PER_ACCOUNT_AND_CLIENT; at++) {
      const { status } = at % 2 === 0
        ? await guess(here)
        : await login(market, { password: "wrong" }, here);
      assertEquals(status, at % 2 === 0 ? 403 : 401);
    }
    const limited = await guess(here, account.password);
    assertEquals([limited.status, limited.body.field], [429, "password"]);
    assertEquals(limited.headers.get("retry-after"), String(ATTEMPT_WINDOW_MS / 1_000));
    market.advance(REVOKED_READ_MS);
    for (const each of [session, other]) assertEquals(await opens(market, user.id, each), OPEN);
    assertEquals(
      (await guess(elsewhere, account.password)).status,
      200,
      "the owner is not locked out",
    );
    market.advance(REVOKED_READ_MS);
    for (const each of [session, other]) assertEquals(await opens(market, user.id, each), SHUT);
  },
);

eachShape("a right change of the password clears the count", async (market) => {
  let { session } = (await market.ask("user-svc", "POST /register", { json: account })).body;
  const words = [account.password, "battery staple", "horse battery"];
  for (const [at, new_password] of words.entries()) {
    for (let wrong = 1; wrong < ATTEMPTS_PER_ACCOUNT_AND_CLIENT; wrong++) {
      const refused = await changePassword(market, session, { password: "wrong", new_password });
      assertEquals(refused.status, 403);
    }
    const json = { password: words[at], new_password: words[at + 1] ?? "the last sentence" };
    const changed = await changePassword(market, session, json);
    assertEquals(changed.status, 200);
    ({ session } = changed.body);
  }
});

eachShape("tries to sign in are limited by account, wherever they come from", async (market) => {
  await market.ask("user-svc", "POST /register", { json: account });
  const from = (at: number) => `203.0.113.${at}`;
  for (let at = 0; at < ATTEMPTS_PER_ACCOUNT; at++) {
    assertEquals((await login(market, { password: "wrong" }, from(at))).status, 401);
  }
  assertEquals((await login(market, {}, from(ATTEMPTS_PER_ACCOUNT))).status, 429);
  market.advance(ATTEMPT_WINDOW_MS + 1);
  assertEquals((await login(market, {}, from(0))).status, 200);
});

eachShape("a change of password that cannot be is refused, and says what to do", async (market) => {
  const { session } = (await market.ask("user-svc", "POST /register", { json: account })).body;
  const { password } = account;
  const cases: [object, number, string, RegExp][] = [
    [{ new_password: "battery staple" }, 400, "password", /./],
    [{ password }, 400, "new_password", /./],
    [{ password, new_password: "short" }, 400, "new_password", /8 to 128/],
    [{ password, new_password: "x".repeat(129) }, 400, "new_password", /8 to 128/],
    [{ password, new_password: "battery\nstaple" }, 400, "new_password", /control/],
    [{ password, new_password: 12345678 }, 400, "new_password", /text/],
    [{ password, new_password: password }, 400, "new_password", /another/],
    [{ password, new_password: "battery staple", email: "a@b.test" }, 400, "email", /./],
    [{ password: "wrong", new_password: "battery staple" }, 403, "password", /current/],
  ];
  for (const [json, status, field, error] of cases) {
    const refused = await changePassword(market, session, json);
    assertEquals([refused.status, refused.body.field], [status, field], JSON.stringify(json));
    assertMatch(refused.body.error, error);
  }
  // The same password however its characters are composed.
  const composed = "P\u00e4sswort";
  assertEquals(
    (await changePassword(market, session, { password, new_password: composed })).status,
    200,
  );
  const { session: next } = (await login(market, { password: composed })).body;
  const again = await changePassword(market, next, {
    password: composed,
    new_password: "Pa\u0308sswort",
  });
  assertEquals([again.status, again.body.field], [400, "new_password"]);
});

eachShape("of two changes of password at once one holds, and only its session", async (market) => {
  const { session, user } =
    (await market.ask("user-svc", "POST /register", { json: account })).body;
  const changes = await Promise.all(
    ["battery staple", "horse battery"].map((new_password) =>
      changePassword(market, session, { password: account.password, new_password })
    ),
  );
  const [won, lost] = changes.toSorted((a, b) => a.status - b.status);
  assertEquals(won!.status, 200);
  // Too late to be read, or too late to be written.
  assert([401, 403, 409].includes(lost!.status), String(lost!.status));
  market.advance(REVOKED_READ_MS);
  assertEquals(await opens(market, user.id, session), SHUT);
  assertEquals(await opens(market, user.id, won!.body.session), OPEN);
});

Deno.test("the password of the shop's own people is a setting, and is not changed by the shop", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const staff = { STAFF_EMAIL: "Boss@shop.test", STAFF_PASSWORD: "a long sentence" };
  const market = await startMarket({ folder }, staff, "five");
  try {
    const password = staff.STAFF_PASSWORD;
    const { session } = (await login(market, { email: "boss@shop.test", password })).body;
    const refused = await changePassword(market, session, {
      password,
      new_password: "another one",
    });
    assertEquals([refused.status, refused.body.field], [403, "session"]);
    assertMatch(refused.body.error, /STAFF_PASSWORD/);
    assertEquals((await login(market, { email: "boss@shop.test", password })).status, 200);
  } finally {
    await market.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

eachShape(
  "while user-svc is away what was signed out stays out, and nobody waits",
  async (market) => {
    const { session, user } =
      (await market.ask("user-svc", "POST /register", { json: account })).body;
    const { session: other } = (await login(market)).body;
    assertEquals((await market.ask("user-svc", "POST /logout", { session })).status, 204);
    market.advance(REVOKED_READ_MS);
    const orders = async (by: string) =>
      (await market.ask("order-svc", `GET /orders/user/${user.id}`, { session: by })).status;
    assertEquals([await orders(session), await orders(other)], [401, 200]);
    market.down.add("user-svc");
    market.down.add("identity-provider");
    market.advance(REVOKED_READ_MS);
    const before = market.calls.length;
    for (let at = 0; at < 5; at++) {
      assertEquals([await orders(session), await orders(other)], [401, 200]);
    }
    assertEquals(market.calls.slice(before).length, 1, "it is asked for once, not at each request");
  },
);

eachShape(
  "one who signs out very often has one entry in the list, and is out everywhere",
  async (market) => {
    const { user } = (await market.ask("user-svc", "POST /register", { json: account })).body;
    const list = async () => (await market.ask("user-svc", "GET /revoked")).body.items;
    for (let at = 0; at < REVOKED_PER_USER; at++) {
      const { session } = (await login(market)).body;
      await market.ask("user-svc", "POST /logout", { session });
    }
    assertEquals((await list()).length, REVOKED_PER_USER);
    const { session } = (await login(market)).body;
    const { session: other } = (await login(market)).body;
    await market.ask("user-svc", "POST /logout", { session });
    const [entry, ...rest] = await list();
    assertEquals([entry.user, entry.session, rest], [user.id, null, []]);
    market.advance(REVOKED_READ_MS);
    for (const each of [session, other]) assertEquals(await opens(market, user.id, each), SHUT);
    const after = (await login(market)).body.session;
    assertEquals(await opens(market, user.id, after), OPEN);
  },
);
