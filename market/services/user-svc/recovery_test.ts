import { assert, assertEquals, assertMatch } from "@std/assert";
import { startSmtp, type TakenMail, type TestSmtp } from "../../five/testing_smtp.ts";
import {
  ATTEMPT_WINDOW_MS,
  ATTEMPTS_PER_CLIENT,
  FORGOTS_PER_ADDRESS,
  FORGOTS_PER_CLIENT,
  LETTERS_KEPT_MS,
  LETTERS_MAX,
  RESET_MS,
  REVOKED_READ_MS,
} from "../../kit/limits.ts";
import type { Database } from "../../kit/database.ts";
import type { Service } from "../../kit/service.ts";
import { ask as askService, eventually, testSurroundings } from "../../kit/testing.ts";
import { eachStore, openAt, placeEnv, type StorePlace } from "../../kit/testing_stores.ts";
import type { Shape } from "../../launch.ts";
import { textOf, tokenIn } from "../../testing_mail.ts";
import { startMarket, type TestMarket } from "../../testing_market.ts";
import { createLetters } from "./letters.ts";
import type { IdentityOptions } from "./module.ts";
import { PASSWORD_COST } from "./password.ts";
import { createUserService } from "./service.ts";
import { MIGRATIONS } from "./store.ts";

// Who has forgotten the password gets another by mail, in both shapes, by a real mail server.

const SHOP_URL = "https://shop.test/";
const STAFF = { STAFF_EMAIL: "boss@shop.test", STAFF_PASSWORD: "a long sentence" };
const CHEAP = { cost: 2, blocks: 1, parallel: 1 };
const OLD = "correct horse";
const NEW = "battery staple";

interface Scene {
  readonly market: TestMarket;
  readonly smtp: TestSmtp;
  readonly place: StorePlace;
}

async function withMails(place: StorePlace, shape: Shape, test: (scene: Scene) => Promise<void>) {
  const smtp = await startSmtp();
  const market = await startMarket(place, { SMTP_URL: smtp.url, SHOP_URL, ...STAFF }, shape);
  try {
    await test({ market, smtp, place });
  } finally {
    await market.close();
    await smtp.stop();
  }
}

// nodemailer keeps sockets of its own for a while.
const LOOSE = { sanitizeOps: false, sanitizeResources: false };

function inFive(name: string, test: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `${name} (five programs)`,
    ...LOOSE,
    fn: async () => {
      const folder = Deno.makeTempDirSync({ prefix: "market-" });
      try {
        await withMails({ folder }, "five", test);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

function eachShape(name: string, test: (scene: Scene) => Promise<void>): void {
  eachStore(name, (place) => withMails(place, "nine", test), LOOSE);
  inFive(name, test);
}

const ask = ({ market }: Scene, path: string, json: unknown, from?: string) =>
  market.ask("user-svc", `POST ${path}`, {
    json,
    headers: from ? { "x-forwarded-for": from } : {},
  });
const forgot = (scene: Scene, email: string, from?: string) =>
  ask(scene, "/forgot", { email }, from);
const reset = (scene: Scene, token: string, new_password = NEW) =>
  ask(scene, "/reset", { token, new_password });
const login = async (scene: Scene, email: string, password: string) =>
  (await ask(scene, "/login", { email, password })).status;

/** The mails to an address whose subject is so, once there are as many. */
async function mails(
  { smtp }: Scene,
  to: string,
  subject: RegExp,
  count: number,
): Promise<readonly TakenMail[]> {
  const found = () => smtp.mails.filter((mail) => mail.to.includes(to) && subject.test(mail.raw));
  await eventually(`${count} mails ${subject} to ${to}`, () => found().length >= count);
  assertEquals(found().length, count, `mails ${subject} to ${to}`);
  return found();
}
const ASKED = /^Subject: Choose a new password/m;
const CHANGED = /^Subject: Your password at SovereignMarket was changed/m;

/** Asks for a token and reads it in the mail, the `count`th to this address. */
async function tokenFor(scene: Scene, email: string, count = 1): Promise<string> {
  assertEquals((await forgot(scene, email)).status, 202);
  const token = tokenIn((await mails(scene, email, ASKED, count)).at(-1)!.raw);
  assert(token, "the mail has a token");
  return token;
}

/** Whether a session is good where it was made, and where others check it. */
async function opens({ market }: Scene, id: string, session: string): Promise<number[]> {
  market.advance(REVOKED_READ_MS);
  return [
    (await market.ask("user-svc", `GET /profile/${id}`, { session })).status,
    (await market.ask("order-svc", `GET /orders/user/${id}`, { session })).status,
  ];
}

/** Refused for the token, and nothing has come of it. */
async function refused(scene: Scene, token: string, email: string, password: string) {
  const { status, body } = await reset(scene, token, "a third sentence");
  assertEquals([status, body.field], [400, "token"]);
  assertEquals(await login(scene, email, password), 200, "the password is as it was");
  return body.error as string;
}

eachShape("who has forgotten the password chooses another by a mail, once", async (scene) => {
  const { market } = scene;
  const ada = await market.register("Ada Byron");
  const eve = await market.register("Eve Other");
  const first = await tokenFor(scene, ada.email);
  const eves = await tokenFor(scene, eve.email);
  assertEquals((await forgot(scene, ada.email.toUpperCase())).status, 202);
  const second = tokenIn((await mails(scene, ada.email, ASKED, 2)).at(-1)!.raw)!;
  assertEquals(await login(scene, ada.email, OLD), 200, "asking changes nothing");
  const [mail] = await mails(scene, ada.email, ASKED, 2);
  const text = textOf(mail!.raw);
  assert(text.includes(`https://shop.test/reset#${first}\r\n`), text);
  assertMatch(text, /^Dear Ada Byron,\r$/m);
  assertMatch(text, /within 30 minutes/);

  assertEquals((await reset(scene, first, "short")).body.field, "new_password");
  assertEquals((await reset(scene, first)).status, 204, "what was refused has not used it up");
  assertEquals(await login(scene, ada.email, OLD), 401);
  assertEquals(await login(scene, ada.email, NEW), 200);
  assertEquals(await opens(scene, ada.id, ada.session), [401, 401]);
  assertEquals(await opens(scene, eve.id, eve.session), [200, 200], "nobody else is meant");
  await mails(scene, ada.email, CHANGED, 1);

  await refused(scene, first, ada.email, NEW);
  await refused(scene, second, ada.email, NEW);
  assertEquals((await reset(scene, eves)).status, 204, "another's token is as good as before");
  assertEquals(await login(scene, eve.email, NEW), 200);
  await mails(scene, eve.email, CHANGED, 1);
  await mails(scene, ada.email, CHANGED, 1);
});

eachShape(
  "an address that nobody has is answered as any other, and gets no mail",
  async (scene) => {
    const { email } = await scene.market.register();
    const known = await forgot(scene, email);
    const unknown = await forgot(scene, "nobody@shop.test");
    const staff = await forgot(scene, STAFF.STAFF_EMAIL);
    const seen = ({ status, body, headers }: typeof known) => [
      status,
      body,
      [...headers.keys()].filter((name) => name !== "x-request-id"),
    ];
    assertEquals(seen(unknown), seen(known));
    assertEquals(seen(staff), seen(known));
    assertEquals([known.status, known.body], [202, { valid_for_s: RESET_MS / 1_000 }]);
    await mails(scene, email, ASKED, 1);
    const later = await scene.market.register("Eve Later");
    await tokenFor(scene, later.email);
    assertEquals(scene.smtp.mails.flatMap(({ to }) => to), [email, later.email]);
  },
);

eachShape("a token is good for half an hour, and for nothing that it is not", async (scene) => {
  const ada = await scene.market.register();
  const token = await tokenFor(scene, ada.email);
  const flipped = (token[0] === "A" ? "B" : "A") + token.slice(1);
  const never = await refused(scene, flipped, ada.email, OLD);
  for (const strange of ["", token.slice(1), `${token}A`, `${token.slice(1)}.`, "x' or '1'='1"]) {
    const { status, body } = await reset(scene, strange);
    assertEquals([status, body.field], [400, "token"], strange);
  }
  scene.market.advance(RESET_MS);
  assertEquals(await refused(scene, token, ada.email, OLD), never, "over is told as never was");
  scene.market.advance(ATTEMPT_WINDOW_MS + 1);
  const fresh = await tokenFor(scene, ada.email, 2);
  scene.market.advance(RESET_MS - 10_000);
  assertEquals((await reset(scene, fresh)).status, 204);
});

eachShape("of two who use a token at once one changes the password", async (scene) => {
  const { email } = await scene.market.register();
  const [one, two] = [await tokenFor(scene, email), await tokenFor(scene, email, 2)];
  const words = ["battery staple", "horse battery", "staple horse"];
  const answers = await Promise.all(
    [one, one, two].map((token, at) => reset(scene, token!, words[at])),
  );
  const won = answers.flatMap(({ status }, at) => status === 204 ? [words[at]!] : []);
  assertEquals(won.length, 1, JSON.stringify(answers.map(({ status }) => status)));
  assertEquals(await login(scene, email, won[0]!), 200);
  await mails(scene, email, CHANGED, 1);
});

eachShape("a changed password ends tokens, and is said", async (scene) => {
  const { market } = scene;
  const ada = await market.register();
  const token = await tokenFor(scene, ada.email);
  const json = { password: OLD, new_password: NEW };
  const { session } = ada;
  assertEquals((await market.ask("user-svc", "POST /password", { session, json })).status, 200);
  await refused(scene, token, ada.email, NEW);
  const [mail] = await mails(scene, ada.email, CHANGED, 1);
  assertMatch(textOf(mail!.raw), /^https:\/\/shop\.test\/forgot\r$/m);
});

eachShape("mails are asked for no oftener than one can mean it", async (scene) => {
  const { email } = await scene.market.register();
  // From another client each time; an address that nobody has is counted as well.
  for (const address of [email, "nobody@shop.test"]) {
    for (let at = 0; at < FORGOTS_PER_ADDRESS; at++) {
      assertEquals((await forgot(scene, address, `203.0.113.${at}`)).status, 202);
    }
    const limited = await forgot(scene, address.toUpperCase(), "203.0.113.99");
    assertEquals([limited.status, limited.body.field], [429, "email"]);
    assertEquals(limited.headers.get("retry-after"), String(ATTEMPT_WINDOW_MS / 1_000));
  }
  await mails(scene, email, ASKED, FORGOTS_PER_ADDRESS);
  const from = "198.51.100.7";
  for (let at = 0; at < FORGOTS_PER_CLIENT; at++) {
    assertEquals((await forgot(scene, `nobody${at}@shop.test`, from)).status, 202);
  }
  assertEquals((await forgot(scene, "nobody@elsewhere.test", from)).status, 429);
  scene.market.advance(ATTEMPT_WINDOW_MS + 1);
  assertEquals((await forgot(scene, email, from)).status, 202);
  await mails(scene, email, ASKED, FORGOTS_PER_ADDRESS + 1);
});

eachShape("whoever tries tokens is counted as one who tries passwords", async (scene) => {
  const { email } = await scene.market.register();
  const from = "203.0.113.7";
  const attempt = async (at: number) => {
    const token = String(at).padStart(43, "A");
    return at % 2 === 0
      ? (await ask(scene, "/reset", { token, new_password: NEW }, from)).status
      : (await ask(scene, "/login", { email: `a${at}@shop.test`, password: "x" }, from)).status;
  };
  for (let at = 0; at < ATTEMPTS_PER_CLIENT; at++) {
    assertEquals(await attempt(at), at % 2 === 0 ? 400 : 401);
  }
  const good = await tokenFor(scene, email);
  const limited = await ask(scene, "/reset", { token: good, new_password: NEW }, from);
  assertEquals([limited.status, limited.body.field], [429, "token"]);
  assertEquals((await reset(scene, good)).status, 204, "from elsewhere it is good");
});

eachShape("no store has a token in the clear", async (scene) => {
  const { email } = await scene.market.register();
  const token = await tokenFor(scene, email);
  const { folder } = scene.place;
  if (folder === undefined) return;
  const files = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile);
  assert(files.length > 0);
  for (const { name } of files) {
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/${name}`));
    assert(!text.includes(token), `${name} has it`);
  }
});

inFive("a mail waits for a worker that is away", async (scene) => {
  const { market } = scene;
  const { email } = await market.register();
  market.down.add("async-worker");
  assertEquals((await forgot(scene, email)).status, 202);
  await eventually(
    "it is told in vain",
    () => market.calls.some((call) => call === "POST async-worker/api/jobs"),
  );
  assertEquals(scene.smtp.mails, []);
  market.down.delete("async-worker");
  await mails(scene, email, ASKED, 1);
});

inFive("a mail that was not written yet is not, once the password is changed", async (scene) => {
  const { market } = scene;
  const { email, session } = await market.register();
  market.down.add("async-worker");
  assertEquals((await forgot(scene, email)).status, 202);
  const json = { password: OLD, new_password: NEW };
  assertEquals((await market.ask("user-svc", "POST /password", { session, json })).status, 200);
  market.down.delete("async-worker");
  await mails(scene, email, CHANGED, 1);
  assertEquals(scene.smtp.mails.length, 1, "the only mail says that it was changed");
});

inFive("the password of the shop's own people is not chosen anew by mail", async (scene) => {
  const { market } = scene;
  assertEquals((await forgot(scene, STAFF.STAFF_EMAIL)).status, 202);
  const { email } = await market.register();
  await tokenFor(scene, email);
  assertEquals(scene.smtp.mails.length, 1, "the only mail is the other's");
});

/** user-svc as a service of its own, at a place that others may share. */
async function withService(
  place: StorePlace,
  more: { options?: IdentityOptions; env?: Record<string, string> },
  test: (service: Service) => Promise<void>,
): Promise<void> {
  const env = { ...placeEnv(place), SESSION_SECRET: "a secret", ...more.env };
  const service = await createUserService(testSurroundings("user-svc", { env }), more.options);
  try {
    await test(service);
  } finally {
    await service.close();
  }
}

/** Its hashes take long enough for others to be faster. */
const SLOW = { options: { cost: PASSWORD_COST } };

eachStore(
  "letters are handed over at once, and not when somebody looks for them",
  async (place) => {
    const smtp = await startSmtp();
    const options = { cost: CHEAP, sweepMs: 3_600_000 };
    const env = { SMTP_URL: smtp.url, SHOP_URL };
    try {
      await withService(place, { options, env }, async (service) => {
        const json = { email: "ada@shop.test", name: "Ada Byron", password: OLD };
        const { session } = (await askService(service, "POST /register", { json })).body;
        const come = (count: number) =>
          eventually(`${count} mails have come`, () => smtp.mails.length === count);
        const change = { password: OLD, new_password: NEW };
        await askService(service, "POST /password", { session, json: change });
        await come(1);
        await askService(service, "POST /forgot", { json: { email: json.email } });
        await come(2);
        const token = tokenIn(smtp.mails[1]!.raw)!;
        await askService(service, "POST /reset", { json: { token, new_password: OLD } });
        await come(3);
      });
    } finally {
      await smtp.stop();
    }
  },
  LOOSE,
);

eachStore("who signs in while the password is changed is called back, too", async (place) => {
  await withService(
    place,
    SLOW,
    (first) =>
      withService(place, { options: { cost: CHEAP } }, async (second) => {
        const email = "ada@shop.test";
        const json = { email, name: "Ada Byron", password: OLD };
        const { body } = await askService(first, "POST /register", { json });
        const token = await tokenOf(place, email);
        // Its password is still being looked at when it becomes a wrong one.
        const signingIn = askService(first, "POST /login", { json: { email, password: OLD } });
        const change = { token, new_password: NEW };
        assertEquals((await askService(second, "POST /reset", { json: change })).status, 204);
        const { status, body: { session } } = await signingIn;
        if (status === 401) return;
        const late = await askService(second, `GET /profile/${body.user.id}`, { session });
        assertEquals([status, late.status], [200, 401]);
      }),
  );
});

eachStore("a token that was used while a password is hashed for it is used", async (place) => {
  await withService(
    place,
    SLOW,
    (first) =>
      withService(place, { options: { cost: CHEAP } }, async (second) => {
        const email = "ada@shop.test";
        const json = { email, name: "Ada Byron", password: OLD };
        await askService(second, "POST /register", { json });
        const token = await tokenOf(place, email);
        const reset = (service: Service, new_password: string) =>
          askService(service, "POST /reset", { json: { token, new_password } });
        const late = reset(first, "a late sentence");
        assertEquals((await reset(second, NEW)).status, 204);
        assertEquals([(await late).status, (await late).body.field], [400, "token"]);
        const { status } = await askService(second, "POST /login", {
          json: { email, password: NEW },
        });
        assertEquals(status, 200);
      }),
  );
});

/** A token as it would be in a mail. */
async function tokenOf(place: StorePlace, email: string): Promise<string> {
  const database = await openAt(place, { name: "user-svc", migrations: MIGRATIONS });
  try {
    const letters = createLetters(database, Date.now, () => true);
    await letters.forgot(email);
    const letter = await letters.write((await letters.untold(1))[0]!);
    assert(letter?.kind === "reset");
    return letter.token;
  } finally {
    await database.close();
  }
}

eachStore("where too many letters wait, no more are taken", async (place) => {
  await withService(place, { options: { cost: CHEAP } }, async (service) => {
    const database = await openAt(place, { name: "user-svc", migrations: MIGRATIONS });
    await fill(database, Date.now());
    await database.close();
    const { status, body, headers } = await askService(service, "POST /forgot", {
      json: { email: "ada@shop.test" },
    });
    assertEquals([status, body.field], [503, "email"]);
    assert(headers.has("retry-after"));
  });
});

eachStore("letters of long ago are forgotten", async (place) => {
  await withService(place, { options: { cost: CHEAP, sweepMs: 20 } }, async () => {
    const database = await openAt(place, { name: "user-svc", migrations: MIGRATIONS });
    try {
      await fill(database, 1, 1);
      await eventually("they are gone", async () => {
        const [kept] = await database.query<{ n: number }>("select count(*) as n from letters");
        return kept!.n === 0;
      });
    } finally {
      await database.close();
    }
  });
});

/** As many letters as may be kept, for addresses that nobody has. */
const fill = (database: Database, madeAt: number, told = 0) =>
  database.query(
    `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?)
     insert into letters (id, kind, email, made_at, told)
     select 'letter ' || n, 'reset', 'a' || n || '@shop.test', ?, ? from numbers`,
    ...[LETTERS_MAX, madeAt, told],
  );

eachStore("createLetters() keeps no more than it may, and not for long", async (place) => {
  const database = await openAt(place, { name: "user-svc", migrations: MIGRATIONS });
  let now = 1_000_000;
  const letters = createLetters(database, () => now, () => true);
  try {
    await fill(database, now);
    assertEquals(await letters.forgot("ada@shop.test"), false);
    // One for an address that nobody has is gone when it was to be written.
    const [first] = await letters.untold(1);
    assertEquals(await letters.write(first!), undefined);
    assertEquals(await letters.forgot("ada@shop.test"), true);
    assertEquals(await letters.forgot("ada@shop.test"), false);
    now += LETTERS_KEPT_MS + 1;
    await letters.sweep();
    assertEquals(await letters.untold(1), []);
    assertEquals(await letters.forgot("ada@shop.test"), true);
  } finally {
    await database.close();
  }
});
