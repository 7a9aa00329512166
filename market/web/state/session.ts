// Who is signed in. The session is kept in memory and in localStorage, and goes with every request.

import { computed, signal } from "@preact/signals";
import { logout, useBearer } from "../api.ts";
import type { SignedIn, User } from "../api_types.ts";
import { keep, recall } from "./storage.ts";

const KEY = "market.session";

const signedIn = signal<SignedIn | undefined>(restore());
useBearer(signedIn.value?.session);

/** The signed-in user, else undefined. */
export const user = computed<User | undefined>(() => signedIn.value?.user);

/** Takes what `/login` or `/register` answered. */
export function signIn(answer: SignedIn): void {
  signedIn.value = answer;
  useBearer(answer.session);
  keep(localStorage, KEY, JSON.stringify(answer));
}

/** Takes the user as the service now knows them. */
export function updateUser(updated: User): void {
  if (signedIn.value) signIn({ ...signedIn.value, user: updated });
}

/**
 * Ends the session: on this device at once, and at the shop; or, everywhere, all that there are.
 *
 * @throws {ApiError} when the shop could not be told.
 */
export async function endSession(everywhere = false): Promise<void> {
  const session = signedIn.value?.session;
  if (session === undefined) return;
  if (!everywhere) signOut();
  await logout(session, everywhere);
  if (signedIn.value?.session === session) signOut();
}

/** Forgets the session on this device: it is no good any more. */
export function signOut(): void {
  signedIn.value = undefined;
  useBearer(undefined);
  keep(localStorage, KEY, undefined);
}

function restore(): SignedIn | undefined {
  try {
    const stored = JSON.parse(recall(localStorage, KEY) ?? "null") as SignedIn | null;
    if (!stored?.session || !stored.user?.id) return undefined;
    return Date.parse(stored.expires_at) > Date.now() ? stored : undefined;
  } catch {
    return undefined;
  }
}

// Signing out in one tab signs out in all.
addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  signedIn.value = restore();
  useBearer(signedIn.value?.session);
});
