// What the replicas use, measured at intervals: their memory is held against their `ram`.

import { MEMORY_NEAR_MS, SAMPLE_MS } from "../../core/limits.ts";
import type { NodeEvent, Use } from "../effects.ts";
import { isNearLimit } from "../memory.ts";
import type { Replica } from "../replica.ts";
import type { GroupUse, Helper } from "./helper.ts";
import type { Processes } from "./process.ts";

type Timer = ReturnType<typeof setTimeout>;

export interface UsageOptions {
  readonly helper: Helper;
  readonly processes: Processes;
  /** The replicas as the machine holds them. */
  readonly replicas: () => Iterable<Replica>;
  dispatch(event: NodeEvent): void;
}

/** Asks the helper for what each process group uses, as long as some replica has to be looked at. */
export class Usage implements Disposable {
  #timer: Timer | undefined;
  #closed = false;

  constructor(private readonly options: UsageOptions) {
    this.#again(SAMPLE_MS);
  }

  #again(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#look(), ms);
    Deno.unrefTimer(this.#timer);
  }

  async #look(): Promise<void> {
    let near = false;
    try {
      const watched = [...this.options.replicas()].filter(({ spec }) => spec?.ramBytes);
      if (watched.length === 0) return;
      const groups = await this.options.helper.groups();
      const uses: Use[] = [];
      for (const replica of watched) {
        const use = await this.#useOf(replica, groups);
        if (!use) continue;
        uses.push(use);
        near ||= !use.limited && isNearLimit(use.residentBytes, replica.spec?.ramBytes ?? Infinity);
      }
      if (uses.length > 0 && !this.#closed) this.options.dispatch({ on: "uses", uses });
    } finally {
      this.#again(near ? MEMORY_NEAR_MS : SAMPLE_MS);
    }
  }

  async #useOf(replica: Replica, groups: ReadonlyMap<number, GroupUse>): Promise<Use | null> {
    const { helper, processes } = this.options;
    const running = processes.groupOf(replica.id);
    const use = running && groups.get(running.group);
    if (!running || !use || running.instance !== replica.instance) return null;
    const limited = running.cgroup !== null;
    let { residentBytes } = use;
    // Shared pages are counted by each process that maps them: a program that many run is not over its
    // limit because of that. The exact figure costs the kernel a walk, so it is asked for only here.
    if (!limited && residentBytes > (replica.spec?.ramBytes ?? Infinity)) {
      residentBytes = await helper.sharedBytes(running.group) || residentBytes;
    }
    return { replica: replica.id, instance: running.instance, residentBytes, limited };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
