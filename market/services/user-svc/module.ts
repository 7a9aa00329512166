import type { Context } from "hono";
import { openFromEnv } from "../../kit/database.ts";
import {
  ATTEMPT_WINDOW_MS,
  ATTEMPTS_PER_ACCOUNT,
  ATTEMPTS_PER_ACCOUNT_AND_CLIENT,
  ATTEMPTS_PER_CLIENT,
  REGISTRATIONS_PER_CLIENT,
} from "../../kit/limits.ts";
import type { Identity, Module } from "../../kit/modules.ts";
import { ADDRESS, EMAIL, PERSON_NAME, UUID } from "../../kit/people.ts";
import { badRequest, notFound, Problem, unauthorized } from "../../kit/problem.ts";
import { clientOf, insideOnly, pathText, queryText, readBody } from "../../kit/request.ts";
import { signingSecret } from "../../kit/secrets.ts";
import type { Surroundings } from "../../kit/service.ts";
import { createSessionReader, staffOnly } from "../../kit/session.ts";
import { nullable, password, shape, text } from "../../kit/validate.ts";
import { createPasswords, PASSWORD_COST, type Passwords, samePassword } from "./password.ts";
import { createRevocationList } from "./revocations.ts";
import { createSessionKeys } from "./session_keys.ts";
import { createUserStore, MIGRATIONS, type UserRow, type UserStore } from "./store.ts";

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

/** Accounts and sessions; with `staff`, one account that may do what only the shop's people may. */
export async function createIdentity(
  around: Surroundings,
  cost = PASSWORD_COST,
  staff?: Staff,
): Promise<Module<Identity>> {
  const database = await openFromEnv(around.env, "user-svc", MIGRATIONS);
  const revoked = await createRevocationList(database, around.now);
  const store = createUserStore(database, revoked);
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
  const refuseTooManyTries = async (email: string, client: string, field: string) => {
    const now = around.now();
    const whos = [`account ${email} from ${client}`, `account ${email}`, `client ${client}`];
    const limits = [ATTEMPTS_PER_ACCOUNT_AND_CLIENT, ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_CLIENT];
    const counts = await store.attempt(whos, now, now - ATTEMPT_WINDOW_MS);
    if (counts.every((count, at) => count <= limits[at]!)) return whos[0]!;
    throw new Problem(429, field, "too many tries; wait a quarter of an hour", {
      headers: { "retry-after": String(ATTEMPT_WINDOW_MS / 1_000) },
    });
  };
  const refuseTooManyAccounts = async (client: string) => {
    const now = around.now();
    const [count = 0] = await store.attempt([`accounts ${client}`], now, now - ATTEMPT_WINDOW_MS);
    if (count <= REGISTRATIONS_PER_CLIENT) return;
    throw new Problem(429, "email", "too many accounts from here; wait a quarter of an hour", {
      headers: { "retry-after": String(ATTEMPT_WINDOW_MS / 1_000) },
    });
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
  };
  const routes: Module<Identity>["routes"] = ({ app, onClose }, ownServicesOnly) => {
    onClose(() => database.close());
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
    app.post("/register", async (c) => {
      const given = await readBody(c, REGISTER);
      await refuseTooManyAccounts(clientOf(c));
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
      if (user.email === staff?.email.toLowerCase()) {
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
