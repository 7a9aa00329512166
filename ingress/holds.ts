import { HELD_APP_REQUESTS, HELD_BYTES, HELD_REQUESTS } from "../core/limits.ts";

/**
 * Requests that wait for an app without replicas to be woken. Bounded in number, in all and for one
 * app, and in the bytes that they hold; whoever puts one in sees to it that its time ends.
 */
export class Holds<T> {
  private readonly byApp = new Map<string, Map<T, number>>();
  private total = 0;
  private bytes = 0;

  constructor(
    private readonly bounds = {
      requests: HELD_REQUESTS,
      appRequests: HELD_APP_REQUESTS,
      bytes: HELD_BYTES,
    },
  ) {}

  /** How many are held. */
  get size(): number {
    return this.total;
  }

  /** Whether any request waits for the app. */
  has(app: string): boolean {
    return this.byApp.has(app);
  }

  /** Holds a request of so many bytes; `false` if there is no room. */
  add(app: string, request: T, bytes: number): boolean {
    const { bounds } = this;
    const held = this.byApp.get(app);
    if (
      this.total >= bounds.requests || (held?.size ?? 0) >= bounds.appRequests ||
      this.bytes + bytes > bounds.bytes
    ) return false;
    if (held === undefined) this.byApp.set(app, new Map([[request, bytes]]));
    else held.set(request, bytes);
    this.total++;
    this.bytes += bytes;
    return true;
  }

  /** The request waits no more. */
  remove(app: string, request: T): void {
    const held = this.byApp.get(app);
    const bytes = held?.get(request);
    if (held === undefined || bytes === undefined) return;
    held.delete(request);
    if (held.size === 0) this.byApp.delete(app);
    this.total--;
    this.bytes -= bytes;
  }

  /** Takes out all that wait for an app, in the order in which they came. */
  take(app: string): T[] {
    const held = [...this.byApp.get(app)?.keys() ?? []];
    for (const each of held) this.remove(app, each);
    return held;
  }

  /** The apps that are waited for, and by how many. */
  *apps(): Iterable<readonly [app: string, count: number]> {
    for (const [app, held] of this.byApp) yield [app, held.size];
  }
}
