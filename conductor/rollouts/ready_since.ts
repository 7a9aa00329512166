/**
 * Since when each replica has been ready, app by app: an app's replicas are looked at together, and a
 * small map is found in the processor's cache where one of millions is not.
 */
export class ReadySince {
  readonly #apps = new Map<string, Map<string, number>>();

  /** What is known of the app's replicas; do not change it. */
  of(app: string): ReadonlyMap<string, number> {
    return this.#apps.get(app) ?? NOTHING;
  }

  /** The replica is ready; for how long already, if it was, is not forgotten. */
  add(app: string, replica: string, monoMs: number): void {
    let replicas = this.#apps.get(app);
    if (!replicas) this.#apps.set(app, replicas = new Map());
    if (!replicas.has(replica)) replicas.set(replica, monoMs);
  }

  delete(app: string, replica: string): void {
    const replicas = this.#apps.get(app);
    if (replicas?.delete(replica) && replicas.size === 0) this.#apps.delete(app);
  }
}

const NOTHING: ReadonlyMap<string, number> = new Map();
