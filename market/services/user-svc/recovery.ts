import type { Context } from "hono";
import {
  FORGOTS_PER_ADDRESS,
  FORGOTS_PER_CLIENT,
  LETTER_SWEEP_BATCH,
  RESET_MS,
} from "../../kit/limits.ts";
import type { Post } from "../../kit/modules.ts";
import { EMAIL } from "../../kit/people.ts";
import { badRequest, Problem, unavailable } from "../../kit/problem.ts";
import { clientOf, readBody } from "../../kit/request.ts";
import type { Kit } from "../../kit/service.ts";
import { password, shape, text } from "../../kit/validate.ts";
import { type Letters, TOKEN } from "./letters.ts";
import type { Passwords } from "./password.ts";
import type { UserStore } from "./store.ts";
import type { Tries } from "./tries.ts";

const FORGOT = shape({ email: EMAIL });
const RESET = shape({
  token: text({ max: 100, pattern: TOKEN, meaning: "the code from the mail" }),
  new_password: password(8, 128),
});

export interface RecoveryNeeds {
  readonly store: UserStore;
  readonly letters: Letters;
  readonly passwords: Passwords;
  readonly tries: Tries;
  readonly post: Post;
  readonly sweepMs: number;
}

/** How who has forgotten the password gets another, and how users are told. */
export interface Recovery {
  /** Has letters handed over, soon after the request that they come from is answered. */
  tellSoon(): void;
}

/** Adds the routes, and hands letters over until it is closed. */
export function serveRecovery(
  { app, note, onClose }: Pick<Kit, "app" | "note" | "onClose">,
  { store, letters, passwords, tries, post, sweepMs }: RecoveryNeeds,
): Recovery {
  let telling: Promise<void> | undefined;
  const tell = async () => {
    await letters.sweep();
    for (let more = true; more;) {
      const ids = await letters.untold(LETTER_SWEEP_BATCH);
      for (const id of ids) {
        await post.letter(id);
        await letters.told(id);
      }
      more = ids.length > 0;
    }
  };
  const look = () => {
    telling ??= tell().catch((error) => {
      // Who sends letters may be away for a while: they wait here.
      if (!(error instanceof Problem)) note("letters-later", { error: String(error) });
    }).finally(() => telling = undefined);
  };
  const timer = setInterval(look, sweepMs);
  let soon: ReturnType<typeof setTimeout> | undefined;
  onClose(async () => {
    clearInterval(timer);
    clearTimeout(soon);
    await telling;
  });
  const tellSoon = () => {
    clearTimeout(soon);
    soon = setTimeout(look);
  };

  app.post("/forgot", async (c: Context) => {
    const { email } = await readBody(c, FORGOT);
    await tries.refuseTooMany("email", [
      [`forgot ${email.toLowerCase()}`, FORGOTS_PER_ADDRESS],
      [`forgot from ${clientOf(c)}`, FORGOTS_PER_CLIENT],
    ]);
    // Nobody looks here whether there is such an account: neither the answer nor its time says it.
    if (!await letters.forgot(email.toLowerCase())) {
      throw unavailable("email", "too many ask for this just now; try again later");
    }
    tellSoon();
    return c.json({ valid_for_s: RESET_MS / 1_000 }, 202);
  });
  app.post("/reset", async (c: Context) => {
    const given = await readBody(c, RESET);
    await tries.refuseTooManyOf(clientOf(c), "token");
    const reset = await letters.opened(given.token);
    // The slow hash comes only after the token has proved to be good.
    const revision = reset && await store.reset(reset, await passwords.hash(given.new_password));
    if (revision === undefined) {
      throw badRequest("token", "this code was used, is over, or never was; ask for another mail");
    }
    tellSoon();
    return c.body(null, 204);
  });
  return { tellSoon };
}
