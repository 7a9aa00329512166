// The replicas' cgroups: limits that the kernel keeps, where this node may give them.

import { CGROUP_TRIES, CGROUP_WAIT_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { Helper, Limits } from "./helper.ts";

const log = () => logger("cgroup");

/**
 * One cgroup for each start of a replica, named after both: so a later daemon finds it, and what it
 * counted belongs to that start alone. Where there is no cgroup v2 with its controllers delegated,
 * nothing is ever made and memory is watched instead (usage.ts).
 */
export class Cgroups {
  private constructor(private readonly helper: Helper, private readonly folder: string | null) {}

  /** @param tree where the cgroup v2 tree is mounted, if not where the machine has it */
  static async open(helper: Helper, node: string, tree?: string): Promise<Cgroups> {
    const found = await helper.cgroup(node, tree);
    if ("folder" in found) {
      log().info("limits are kept by cgroups in {folder}", { folder: found.folder });
      return new Cgroups(helper, found.folder);
    }
    log().info("memory is watched and CPU not limited: {reason}", { reason: found.reason });
    return new Cgroups(helper, null);
  }

  /** Whether the kernel keeps limits here. */
  get available(): boolean {
    return this.folder !== null;
  }

  #path(replica: string, instance: number): string {
    return `${this.folder}/${replica}.${instance}`;
  }

  /** Makes the cgroup of a start; `null` where it cannot be had: then its memory is watched. */
  async make(replica: string, instance: number, limits: Limits): Promise<string | null> {
    if (this.folder === null) return null;
    const path = this.#path(replica, instance);
    if (await this.helper.limit(path, limits)) return path;
    log().warn("{path} cannot be made: the memory of {replica} is watched", { path, replica });
    return null;
  }

  /** The cgroup that an earlier daemon made for a start. */
  async find(replica: string, instance: number): Promise<string | null> {
    if (this.folder === null) return null;
    const path = this.#path(replica, instance);
    return await insist(() => this.helper.hasLimits(path)) ? path : null;
  }

  /**
   * Removes what an earlier daemon left and nobody is in. What it counted of starts that ended
   * meanwhile is still to be read: these stay.
   */
  async tidy(starts: readonly { readonly replica: string; readonly instance: number }[]) {
    if (this.folder === null) return;
    const names = starts.map(({ replica, instance }) => `${replica}.${instance}`);
    await this.helper.tidyLimits(this.folder, names);
  }

  /**
   * Ends what is left of a start and removes its cgroup.
   *
   * @returns whether the kernel ended any of it because its memory was used up
   */
  async end(path: string): Promise<boolean> {
    const ended = await insist(() => this.helper.unlimit(path));
    if (!ended?.gone) this.#remove(path);
    return (ended?.oomKills ?? 0) > 0;
  }

  /** Its last processes take a moment to be gone. */
  async #remove(path: string): Promise<void> {
    for (let tries = 0; tries < CGROUP_TRIES; tries++) {
      await new Promise((resolve) => setTimeout(resolve, CGROUP_WAIT_MS * 2 ** tries));
      if ((await this.helper.unlimit(path))?.gone) return;
    }
    log().warn("{path} cannot be removed: something in it does not end", { path });
  }
}

/**
 * Asks again where the helper gave no answer: on a starved machine it may be late several times, and
 * taking that for "none" would call a death by memory an ordinary one.
 */
async function insist<T>(question: () => Promise<T | null>): Promise<T | null> {
  for (let tries = 0; tries < CGROUP_TRIES; tries++) {
    const answer = await question();
    if (answer !== null) return answer;
  }
  return null;
}
