import type { IngressMachine } from "../machine.ts";
import type { Replica } from "../balance.ts";
import type { Destination } from "../route.ts";
import type { Exposition } from "./exposition.ts";

/** Upper bounds of the latency histogram, in seconds. */
export const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The figures of one route at one replica: plain numbers, because they are counted each request. */
export class Stat {
  /** Responses by class of status; index 1 to 5. */
  readonly classes = new Float64Array(6);
  readonly buckets = new Float64Array(BUCKETS.length + 1);
  seconds = 0;
  retries = 0;
  bytesOut = 0;

  constructor(readonly app: string, readonly route: string, readonly replica: string) {}

  count(status: number, elapsedMs: number, bytesOut: number): void {
    this.classes[status < 600 ? (status / 100) | 0 : 5]!++;
    const seconds = elapsedMs / 1000;
    this.seconds += seconds;
    this.bytesOut += bytesOut;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
    this.buckets[bucket]!++;
  }

  get total(): number {
    let total = 0;
    for (const count of this.classes) total += count;
    return total;
  }
}

/** Most pairs of route and replica kept; the oldest replicas' are folded into `replica="past"`. */
const STATS = 5_000;

/** What the ingress counts. */
export class Metrics {
  /** Answers of our own, by status: no route, no replica, bad request and so on. */
  readonly own = new Map<number, number>();
  connections = 0;
  refusedConnections = 0;
  badResponses = 0;
  tlsFailures = 0;
  /** When each certificate ends, ms since 1970. */
  certificates: () => Iterable<readonly [name: string, validToMs: number]> = () => [];
  private readonly stats = new Map<string, Stat>();

  private exposition: Promise<Exposition> | null = null;

  constructor(private readonly machine: IngressMachine) {}

  /** The figures in Prometheus' form. What makes them is large, so it is loaded when first asked. */
  expose(): Promise<Exposition> {
    return this.exposition ??= import("./exposition.ts").then(({ Exposition }) =>
      new Exposition(this, this.machine)
    );
  }

  /** All figures by route and replica. */
  allStats(): Iterable<Stat> {
    return this.stats.values();
  }

  /** The figures of a route at a replica. */
  statOf(destination: Destination, replica: Replica): Stat {
    let byReplica = destination.attached as Map<Replica, Stat> | undefined;
    if (byReplica === undefined) destination.attached = byReplica = new Map();
    let stat = byReplica.get(replica);
    if (stat === undefined) byReplica.set(replica, stat = this.make(destination, replica));
    return stat;
  }

  private make(destination: Destination, replica: Replica): Stat {
    const { app, host, path } = destination.route;
    const route = `${host ?? ""}${path}`;
    const id = replica.endpoint.replica;
    const key = `${app} ${route} ${id}`;
    let stat = this.stats.get(key);
    if (stat === undefined) {
      if (this.stats.size >= STATS) this.foldOldest();
      this.stats.set(key, stat = new Stat(app, route, id));
    }
    return stat;
  }

  private foldOldest(): void {
    const [key, oldest] = this.stats.entries().next().value!;
    this.stats.delete(key);
    const pastKey = `${oldest.app} ${oldest.route} past`;
    const past = this.stats.get(pastKey) ?? new Stat(oldest.app, oldest.route, "past");
    // Set anew, so that it is the youngest and not folded next.
    this.stats.delete(pastKey);
    this.stats.set(pastKey, past);
    oldest.classes.forEach((count, at) => past.classes[at]! += count);
    oldest.buckets.forEach((count, at) => past.buckets[at]! += count);
    past.seconds += oldest.seconds;
    past.retries += oldest.retries;
    past.bytesOut += oldest.bytesOut;
  }

  /** A replica is gone for good. */
  forget(replica: Replica): void {
    for (const destination of this.machine.routes.destinations) {
      (destination.attached as Map<Replica, Stat> | undefined)?.delete(replica);
    }
  }

  /** We answered by ourselves. */
  answered(status: number): void {
    this.own.set(status, (this.own.get(status) ?? 0) + 1);
  }
}
