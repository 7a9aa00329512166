import { Failure } from "../errors.ts";

/** Ports that are tried before giving up on one that is free as TCP and as UDP. */
const ATTEMPTS = 20;

/**
 * Binds TCP and UDP to one number. With `port` 0 the system chooses it for the one, and it may be
 * taken for the other: then `bind` is called again.
 *
 * @throws {Failure} what `bind` threw last.
 */
export function onOnePort<T>(port: number, bind: () => T): T {
  for (let attempt = 1;; attempt++) {
    try {
      return bind();
    } catch (error) {
      const isTaken = error instanceof Failure && error.code === "port-taken";
      if (port !== 0 || !isTaken || attempt === ATTEMPTS) throw error;
    }
  }
}
