import type { Context } from "hono";
import { openFromEnv } from "../../kit/database.ts";
import {
  ATTEMPTS_PER_ACCOUNT,
  ATTEMPTS_PER_ACCOUNT_AND_CLIENT,
  LETTER_SWEEP_MS,
  REGISTRATIONS_PER_CLIENT,
} from "../../kit/limits.ts";
import type { Identity, Module, Post } from "../../kit/modules.ts";
import { ADDRESS, EMAIL, PERSON_NAME, UUID } from "../../kit/people.ts";
import { badRequest, notFound, Problem, unauthorized } from "../../kit/problem.ts";
import { clientOf, insideOnly, pathText, queryText, readBody } from "../../kit/request.ts";
import { signingSecret } from "../../kit/secrets.ts";
import type { Surroundings } from "../../kit/service.ts";
import { createSessionReader, staffOnly } from "../../kit/session.ts";
import { nullable, password, shape, text } from "../../kit/validate.ts";
import { createLetters } from "./letters.ts";
import {
  createPasswords,
  PASSWORD_COST,
  type PasswordCost,
  type Passwords,
  samePassword,
} from "./password.ts";
import { serveRecovery } from "./recovery.ts";
import { createRevocationList } from "./revocations.ts";
import { createSessionKeys } from "./session_keys.ts";
import { createUserStore, MIGRATIONS, type UserRow, type UserStore } from "./store.ts";
import { createTries } from "./tries.ts";

const REGISTER = shape({ email: EMAIL, password: password(8, 128), name: PERSON_NAME });
// At sign-in nothing is said about the form of a password: it is right or wrong.
const LOGIN = shape({ email: text({ max: 254 }), password: password(1, 1_000) });
const PASSWORD = shape({ password: password(1, 1_000), new_password: password(8, 128) });
const PROFILE = shape({ name: PERSON_NAME, address: nullable(ADDRESS) });

/** The account of the shop's own people. */
export interface Staff {
  readonly email: string;
  readonly password: string;
}

export interface IdentityOptions {
  readonly cost?: PasswordCost;
  /** One account that may do what only the shop's people may. */
  readonly staff?: Staff;
  /** How often is looked for letters that nobody took on, ms. */
  readonly sweepMs?: number;
}

/** Accounts and sessions; what users are told about them goes by `post`. */
export async function createIdentity(
  around: Surroundings,
  { post }: { readonly post: Post },
  { cost = PASSWORD_COST, staff, sweepMs = LETTER_SWEEP_MS }: IdentityOptions = {},
): Promise<Module<Identity>> {
  const database = await openFromEnv(around.env, "user-svc", MIGRATIONS);
  const revoked = await createRevocationList(database, around.now);
  const isSetting = (email: string) => email === staff?.email.toLowerCase();
  const letters = createLetters(database, around.now, (email) => !isSetting(email));
  const store = createUserStore(database, revoked, letters);
  const tries = createTries(store, around.now);
  const passwords = createPasswords(cost);
  const secret = await signingSecret(around.env, database, "session");
  const sessions = await createSessionKeys(database, secret, around.now);
  const valid = { keys: sessions.keys, revocations: revoked.source };
  const signedIn = createSessionReader(valid, around.now);
  const staffSignedIn = staffOnly(signedIn);
  if (staff) await employ(staff, store, passwords, around.now());

  const welcome = async (user: UserRow, revision: number) => {
    const { session, expiresAt } = await sessions.sign(user, revision);
    return { user: shown(user), session, expires_at: new Date(expiresAt).toISOString() };
  };
  /** @returns the name of the count that who proves to be the owner has forgiven */
  const refuseTooManyTries = async (email: string, client: string, field: string) => {
    const here = `account ${email} from ${client}`;
    await tries.refuseTooManyOf(client, field, [
      [here, ATTEMPTS_PER_ACCOUNT_AND_CLIENT],
      [`account ${email}`, ATTEMPTS_PER_ACCOUNT],
    ]);
    return here;
  };
  const own = async (c: Context) => {
    const me = await signedIn(c);
    const id = pathText(c, "id", UUID);
    if (id !== me.id) throw new Problem(403, "id", "this is not your profile");
    return id;
  };

  const api: Identity = {
    ...valid,
    async contact(id) {
      const user = await store.byId(id);
      if (!user) throw notFound("id", "there is no such user");
      return { name: user.name, email: user.email };
    },
    letter: (id) => letters.write(id),
  };
  const routes: Module<Identity>["routes"] = (kit, ownServicesOnly) => {
    const { app, onClose } = kit;
    onClose(() => database.close());
    const { tellSoon } = serveRecovery(kit, { store, letters, passwords, tries, post, sweepMs });
    app.get("/keys", async (c) => c.json(await api.keys()));
    app.post("/keys/rotate", async (c) => {
      await staffSignedIn(c);
      await sessions.rotate();
      return c.json(await api.keys(), 201);
    });
    app.get("/revoked", async (c) => {
      insideOnly(c);
      return c.json(await revoked.page(queryText(c, "since") ?? ""));
    });
    app.get("/contact/:id", async (c) => {
      await ownServicesOnly(c);
      return c.json(await api.contact(pathText(c, "id", UUID)));
    });
    app.post("/letters/:id", async (c) => {
      await ownServicesOnly(c);
      return c.json({ letter: await api.letter(pathText(c, "id", UUID)) ?? null });
    });
    app.post("/register", async (c) => {
      const given = await readBody(c, REGISTER);
      await tries.refuseTooMany(
        "email",
        [[`accounts ${clientOf(c)}`, REGISTRATIONS_PER_CLIENT]],
        "too many accounts from here; wait a quarter of an hour",
      );
      const user: UserRow = {
        id: crypto.randomUUID(),
        email: given.email.toLowerCase(),
        name: given.name,
        address: null,
        password_hash: await passwords.hash(given.password),
        created_at: around.now(),
        role: "buyer",
      };
      if (!await store.add(user)) {
        throw new Problem(409, "email", "there is an account with this email; sign in");
      }
      return c.json(await welcome(user, await revoked.revision()), 201);
    });
    app.post("/login", async (c) => {
      const given = await readBody(c, LOGIN);
      const email = given.email.toLowerCase();
      const who = await refuseTooManyTries(email, clientOf(c), "email");
      // Before the password is looked at: who changes it meanwhile calls this session back, too.
      const revision = await revoked.revision();
      const user = await store.byEmail(email);
      if (!await passwords.verify(given.password, user?.password_hash) || !user) {
        throw unauthorized("password", "email or password is wrong");
      }
      await store.forgive(who);
      return c.json(await welcome(user, revision));
    });
    app.post("/logout", async (c) => {
      await revoked.one((await signedIn(c)).mark);
      return c.body(null, 204);
    });
    app.post("/logout/everywhere", async (c) => {
      const { id } = await signedIn(c);
      await database.transaction(() => revoked.all(id));
      return c.body(null, 204);
    });
    app.post("/password", async (c) => {
      const me = await signedIn(c);
      const given = await readBody(c, PASSWORD);
      if (samePassword(given.password, given.new_password)) {
        throw badRequest("new_password", "new_password must be another one than password");
      }
      const user = await store.byId(me.id);
      if (!user) throw notFound("id", "there is no such user");
      if (isSetting(user.email)) {
        throw new Problem(403, "session", "this account's password is the setting STAFF_PASSWORD");
      }
      // The same count as at sign-in: whoever found a session open guesses no more than anybody.
      const who = await refuseTooManyTries(user.email, clientOf(c), "password");
      if (!await passwords.verify(given.password, user.password_hash)) {
        throw new Problem(403, "password", "this is not your current password");
      }
      await store.forgive(who);
      const hash = await passwords.hash(given.new_password);
      const revision = await store.renew(user.id, user.password_hash, hash, user.role);
      if (revision === undefined) {
        throw new Problem(409, "password", "your password was changed meanwhile; sign in again");
      }
      tellSoon();
      return c.json(await welcome(user, revision));
    });
    app.get("/profile/:id", async (c) => {
      const user = await store.byId(await own(c));
      if (!user) throw notFound("id", "there is no such user");
      return c.json(shown(user));
    });
    app.put("/profile/:id", async (c) => {
      const id = await own(c);
      const { name, address } = await readBody(c, PROFILE);
      const user = await store.update(id, name, address && JSON.stringify(address));
      if (!user) throw notFound("id", "there is no such user");
      return c.json(shown(user));
    });
  };
  return { api, routes };
}

/** Makes the account, or gives it the password and role that it shall have. */
async function employ(
  { email, password }: Staff,
  store: UserStore,
  passwords: Passwords,
  now: number,
): Promise<void> {
  const known = await store.byEmail(email.toLowerCase());
  if (known?.role === "staff" && await passwords.verify(password, known.password_hash)) return;
  const password_hash = await passwords.hash(password);
  if (known) return void await store.renew(known.id, known.password_hash, password_hash, "staff");
  const address = null;
  const user = { id: crypto.randomUUID(), email: email.toLowerCase(), name: "Staff", address };
  await store.add({ ...user, password_hash, created_at: now, role: "staff" });
}

function shown(user: UserRow) {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    created_at: new Date(user.created_at).toISOString(),
    address: user.address === null ? null : JSON.parse(user.address),
  };
}
