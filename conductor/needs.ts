import type { App } from "./state.ts";
import { currentOf } from "./state.ts";

/** Which apps need which, kept as they change: nobody looks through all of them for one. */
export class Needs {
  /** App -> the apps that need it. */
  readonly #needers = new Map<string, Set<string>>();
  /** App -> what it needs. */
  readonly #needs = new Map<string, readonly string[]>();

  constructor(apps: Iterable<App>) {
    for (const app of apps) this.note(app);
  }

  /** The app may need others than before. */
  note(app: App): void {
    const { needs } = currentOf(app).spec;
    const before = this.#needs.get(app.name);
    if (before === needs) return;
    for (const need of before ?? []) this.#needers.get(need)?.delete(app.name);
    for (const need of needs) {
      this.#needers.set(need, (this.#needers.get(need) ?? new Set()).add(app.name));
    }
    this.#needs.set(app.name, needs);
  }

  /** The apps that need this one. */
  needersOf(name: string): Iterable<string> {
    return this.#needers.get(name) ?? [];
  }
}
