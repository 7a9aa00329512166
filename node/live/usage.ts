// What the replicas use, measured at intervals: their memory is held against their `ram`, their CPU
// goes to the autoscaler.

import { MEMORY_NEAR_MS, SAMPLE_MS } from "../../core/limits.ts";
import { scalesByCpu } from "../../core/scale.ts";
import type { NodeEvent, Use } from "../effects.ts";
import { isNearLimit } from "../memory.ts";
import type { Replica } from "../replica.ts";
import type { CpuUse } from "../wishes.ts";
import type { Autoscaler } from "./autoscaler.ts";
import type { GroupUse, Helper } from "./helper.ts";
import type { Processes } from "./process.ts";

type Timer = ReturnType<typeof setTimeout>;

export interface UsageOptions {
  readonly helper: Helper;
  readonly processes: Processes;
  readonly autoscaler: Autoscaler;
  /** The replicas as the machine holds them. */
  readonly replicas: () => Iterable<Replica>;
  dispatch(event: NodeEvent): void;
}

/** Asks the helper for what each process group uses, as long as some replica has to be looked at. */
export class Usage implements Disposable {
  #timer: Timer | undefined;
  #cpuAtMs = -Infinity;
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
      const all = [...this.options.replicas()];
      const watched = all.filter(({ spec }) => spec?.ramBytes);
      const scaling = all.filter((each) =>
        each.spec && each.state.at === "ready" && scalesByCpu(each.spec)
      );
      const isNeeded = watched.length + scaling.length > 0;
      const groups = isNeeded ? await this.options.helper.groups() : new Map();
      if (this.#closed) return;
      this.#sampleCpu(scaling, groups);
      near = await this.#watchMemory(watched, groups);
    } finally {
      this.#again(near ? MEMORY_NEAR_MS : SAMPLE_MS);
    }
  }

  #sampleCpu(scaling: readonly Replica[], groups: ReadonlyMap<number, GroupUse>): void {
    const nowMs = performance.now();
    // Memory near its limit is looked at more often; CPU over so short a time says little.
    if (nowMs - this.#cpuAtMs < SAMPLE_MS * 0.9) return;
    this.#cpuAtMs = nowMs;
    const uses = scaling.flatMap((replica): CpuUse[] => {
      const use = this.#groupUse(replica, groups);
      const { spec, id, instance } = replica;
      return use && spec ? [{ spec, replica: id, instance, cpuS: use.cpuS }] : [];
    });
    this.options.autoscaler.sample(uses);
  }

  /** Says whether some replica is close to its limit. */
  async #watchMemory(
    watched: readonly Replica[],
    groups: ReadonlyMap<number, GroupUse>,
  ): Promise<boolean> {
    let near = false;
    const uses: Use[] = [];
    for (const replica of watched) {
      const use = await this.#useOf(replica, groups);
      if (!use) continue;
      uses.push(use);
      near ||= !use.limited && isNearLimit(use.residentBytes, replica.spec?.ramBytes ?? Infinity);
    }
    if (uses.length > 0 && !this.#closed) this.options.dispatch({ on: "uses", uses });
    return near;
  }

  #groupUse({ id, instance }: Replica, groups: ReadonlyMap<number, GroupUse>): GroupUse | null {
    const running = this.options.processes.groupOf(id);
    return running?.instance === instance ? groups.get(running.group) ?? null : null;
  }

  async #useOf(replica: Replica, groups: ReadonlyMap<number, GroupUse>): Promise<Use | null> {
    const { helper, processes } = this.options;
    const running = processes.groupOf(replica.id);
    const use = this.#groupUse(replica, groups);
    if (!running || !use) return null;
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
