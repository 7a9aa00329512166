import type { Context } from "hono";
import { openFromEnv } from "../../kit/database.ts";
import {
  ATTEMPT_WINDOW_MS,
  ATTEMPTS_PER_ACCOUNT,
  ATTEMPTS_PER_ACCOUNT_AND_CLIENT,
  ATTEMPTS_PER_CLIENT,
} from "../../kit/limits.ts";
import { ADDRESS, EMAIL, PERSON_NAME, UUID } from "../../kit/people.ts";
import { notFound, Problem, unauthorized } from "../../kit/problem.ts";
import { clientOf, pathText, readBody } from "../../kit/request.ts";
import { signingSecret } from "../../kit/secrets.ts";
import { createService, type Service, type Surroundings } from "../../kit/service.ts";
import { createSessionReader, createSessionSigner } from "../../kit/session.ts";
import { nullable, password, shape, text } from "../../kit/validate.ts";
import { createPasswords, PASSWORD_COST } from "./password.ts";
import { createUserStore, MIGRATIONS, type UserRow } from "./store.ts";

const REGISTER = shape({ email: EMAIL, password: password(8, 128), name: PERSON_NAME });
// At sign-in nothing is said about the form of a password: it is right or wrong.
const LOGIN = shape({ email: text({ max: 254 }), password: password(1, 1_000) });
const PROFILE = shape({ name: PERSON_NAME, address: nullable(ADDRESS) });

/** Accounts and sessions. */
export async function createUserService(
  around: Surroundings,
  cost = PASSWORD_COST,
): Promise<Service> {
  const database = await openFromEnv(around.env, "user-svc", MIGRATIONS);
  const store = createUserStore(database);
  const passwords = createPasswords(cost);
  const secret = await signingSecret(around.env, database, "session");
  const signer = await createSessionSigner(secret, around.now);
  const signedIn = createSessionReader(() => Promise.resolve(signer.keys), around.now);

  const welcome = async (user: UserRow) => {
    const { session, expiresAt } = await signer.sign(user);
    return { user: shown(user), session, expires_at: new Date(expiresAt).toISOString() };
  };
  const refuseTooManyTries = async (email: string, client: string) => {
    const now = around.now();
    const whos = [`account ${email} from ${client}`, `account ${email}`, `client ${client}`];
    const limits = [ATTEMPTS_PER_ACCOUNT_AND_CLIENT, ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_CLIENT];
    const counts = await store.attempt(whos, now, now - ATTEMPT_WINDOW_MS);
    if (counts.every((count, at) => count <= limits[at]!)) return whos[0]!;
    throw new Problem(429, "email", "too many tries to sign in; wait a quarter of an hour", {
      headers: { "retry-after": String(ATTEMPT_WINDOW_MS / 1_000) },
    });
  };
  const own = async (c: Context) => {
    const me = await signedIn(c);
    const id = pathText(c, "id", UUID);
    if (id !== me.id) throw new Problem(403, "id", "this is not your profile");
    return id;
  };

  return createService(around, ({ app, onClose }) => {
    onClose(() => database.close());
    app.get("/keys", (c) => c.json(signer.keys));
    app.post("/register", async (c) => {
      const given = await readBody(c, REGISTER);
      const user: UserRow = {
        id: crypto.randomUUID(),
        email: given.email.toLowerCase(),
        name: given.name,
        address: null,
        password_hash: await passwords.hash(given.password),
        created_at: around.now(),
      };
      if (!await store.add(user)) {
        throw new Problem(409, "email", "there is an account with this email; sign in");
      }
      return c.json(await welcome(user), 201);
    });
    app.post("/login", async (c) => {
      const given = await readBody(c, LOGIN);
      const email = given.email.toLowerCase();
      const who = await refuseTooManyTries(email, clientOf(c));
      const user = await store.byEmail(email);
      if (!await passwords.verify(given.password, user?.password_hash) || !user) {
        throw unauthorized("password", "email or password is wrong");
      }
      await store.forgive(who);
      return c.json(await welcome(user));
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
  });
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
