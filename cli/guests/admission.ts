// What each guest is given so that it is let into the sealed mesh: the conductor's machine its own
// identity, every other daemon a join token that the operator signed.

import { sealKeysPath } from "../../core/live/seal_keys.ts";
import { tokenPath } from "../cluster/daemons.ts";
import { type Joiner, writeTokens } from "../cluster/tokens.ts";
import { CONDUCTOR, type Guest } from "./guests.ts";
import type { InitramfsEntry } from "./initramfs.ts";

/** The daemons' state in a guest, and where each guest's is prepared. */
const STATE = "var/lib/skr8tr";
const PORT = 7771;

/** What admits a cluster of guests. */
export interface Admission {
  /** By which the operator's CLI knows the conductor before it has ever seen it. */
  readonly fingerprint: string;
  /** What stands in a guest's file system before its daemons start. */
  filesOf(guest: Guest): Promise<readonly InitramfsEntry[]>;
}

/**
 * Makes the conductor's identity and a token for every other daemon.
 *
 * @param folder empty, or not there yet
 */
export async function admit(
  folder: string,
  guests: readonly Guest[],
  keys: { readonly secret: string; readonly public: string },
): Promise<Admission> {
  const state = (guest: string, daemon: string) => `${folder}/${guest}/${STATE}/${daemon}`;
  const joiners = guests.flatMap(({ name, daemons }) =>
    daemons.flatMap((role): Joiner[] => role === "conductor" ? [] : [[state(name, role), role]])
  );
  const first = guests.find(({ daemons }) => daemons.includes("conductor"))!;
  const conductorState = state(first.name, "conductor");
  const fingerprint = await writeTokens(
    conductorState,
    { hostname: CONDUCTOR, port: PORT },
    keys,
    joiners,
  );
  const identity = sealKeysPath(conductorState, "conductor");
  return {
    fingerprint,
    filesOf: ({ name, daemons }) =>
      Promise.all(daemons.map(async (role) => {
        const path = role === "conductor" ? identity : tokenPath(state(name, role));
        const inGuest = path.slice(`${folder}/${name}/`.length);
        return { path: inGuest, content: await Deno.readFile(path), mode: 0o600 };
      })),
  };
}
