// Notes on disk of what runs beside replicas, so that it does not outlive the daemon that started it.

import { logger } from "../../core/live/log.ts";
import { readText, writeAtomic } from "./files.ts";
import type { Helper } from "./helper.ts";

const log = () => logger("beside");

export class BesideNotes {
  readonly #folder: string;

  /** @param state the node's state folder */
  constructor(state: string, private readonly helper: Helper) {
    this.#folder = `${state}/beside`;
  }

  /** Notes a process group until its leader has ended. */
  note(replica: string, leader: Deno.ChildProcess): void {
    const path = `${this.#folder}/${leader.pid}`;
    try {
      Deno.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeAtomic(path, `${replica}\n`);
    } catch (error) {
      log().warn("cannot note what runs beside {replica}: {error}", { replica, error });
    }
    leader.status.then(() => Deno.remove(path)).catch(() => {});
  }

  /** Ends what an earlier daemon has left: nobody hears it any more. */
  async endLeft(): Promise<void> {
    for (const pid of this.#noted()) {
      const path = `${this.#folder}/${pid}`;
      const replica = readText(path)?.trim() ?? "";
      // The number may be another's by now.
      const own = replica === "" ? [] : await this.helper.strays(replica);
      if (own.includes(pid)) {
        log().info("ends {pid}, which ran beside {replica}", { pid, replica });
        end(pid);
      }
      await Deno.remove(path).catch(() => {});
    }
  }

  #noted(): number[] {
    try {
      return [...Deno.readDirSync(this.#folder)].map(({ name }) => Number(name))
        .filter((pid) => Number.isSafeInteger(pid) && pid > 1);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

function end(group: number): void {
  try {
    Deno.kill(-group, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
