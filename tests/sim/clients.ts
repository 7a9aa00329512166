// Clients of the virtual world: real requests, matched and balanced by the ingresses' own tables, sent
// on to the programs that listen, and retried by the rules of ingress/live/exchange.ts.

import { ATTEMPTS, HELD_MS, RECENT_ANSWER_MS, RECOVER_MS } from "../../core/limits.ts";
import type { Replica } from "../../ingress/balance.ts";
import { RequestHead } from "../../ingress/http1.ts";
import type { Destination } from "../../ingress/route.ts";
import type { Ground } from "./daemon.ts";
import type { IngressHost } from "./ingress_host.ts";
import type { NodeHost } from "./node_host.ts";
import { isJob, isSleeper } from "./manifests.ts";
import { type Operator, wantedOf } from "./operator.ts";
import type { Process } from "./process.ts";

/** How often somebody asks, in ms: more than 50 times a second. */
const EVERY_MS = 12;
const CONNECT_MS = 3_000;

/** Judges what became of requests. */
export interface Judge {
  /** A request got no answer that is worth anything. */
  lost(ingress: IngressHost, app: string, why: string): void;
  /** A request waited for its app to wake for so long, and is answered now. */
  woke(ingress: IngressHost, app: string, waitedMs: number): void;
  /** A connection was refused by the replica's host. */
  refused(ingress: IngressHost, replica: Replica): void;
  /** Of so many requests, since the canary began, so many went to it. */
  shared(ingress: IngressHost, app: string, canary: number, all: number): void;
  /** Another program than the one that was meant listens there. */
  misdirected(ingress: IngressHost, replica: Replica, by: Process): void;
}

interface Request {
  readonly ingress: IngressHost;
  readonly start: number;
  readonly app: string;
  readonly destination: Destination;
  readonly tried: Replica[];
  readonly askedMs: number;
  /** Until when it waits, and since when; 0 while it never has. */
  heldUntilMs: number;
  heldMs: number;
  isHeld: boolean;
  attempts: number;
  resets: number;
}

export class Clients {
  readonly counters = { asked: 0, answered: 0, lost: 0, errors: 0, retried: 0 };
  readonly #ground: Ground;
  readonly #ingresses: readonly IngressHost[];
  readonly #nodes: ReadonlyMap<string, NodeHost>;
  readonly #operator: Operator;
  readonly #judge: Judge;
  readonly #heads = new Map<string, { bytes: Uint8Array; head: RequestHead }>();
  /** Requests that programs are answering. */
  readonly #pending = new Map<Process, Set<{ request: Request; replica: Replica }>>();
  /** App that sleeps -> until when somebody asks for it. */
  readonly #askedUntilMs = new Map<string, number>();
  /** Ingress, app and generation of a canary -> requests, and those of them that it got. */
  readonly #shares = new Map<string, { all: number; canary: number }>();
  #turn = 0;

  constructor(
    ground: Ground,
    parts: {
      readonly ingresses: readonly IngressHost[];
      readonly nodes: readonly NodeHost[];
      readonly operator: Operator;
      readonly judge: Judge;
    },
  ) {
    this.#ground = ground;
    this.#ingresses = parts.ingresses;
    this.#nodes = new Map(parts.nodes.map((node) => [node.host, node]));
    this.#operator = parts.operator;
    this.#judge = parts.judge;
    for (const ingress of parts.ingresses) {
      ingress.onAwake = (request) => this.#goOn(request as Request);
    }
  }

  /** Asks from now on. */
  start(): void {
    this.#ask();
    this.#ground.timeline.after(EVERY_MS, () => this.start());
  }

  /** Asks for an app that sleeps, for so long from now on. */
  askFor(app: string, forMs: number): void {
    this.#askedUntilMs.set(app, this.#ground.timeline.nowMs + forMs);
  }

  #isAsked(app: string): boolean {
    if (isJob(app)) return false;
    return !isSleeper(app) ||
      this.#ground.timeline.nowMs < (this.#askedUntilMs.get(app) ?? 0);
  }

  #ask(): void {
    const apps = [...this.#operator.wishes.values()].filter((wish) =>
      wantedOf(wish, wish.generation) > 0 && this.#isAsked(wish.app)
    );
    const ingresses = this.#ingresses.filter((each) => each.up && !each.paused);
    if (apps.length === 0 || ingresses.length === 0) return;
    const turn = this.#turn++;
    const { app } = apps[turn % apps.length]!;
    const ingress = ingresses[(turn >> 2) % ingresses.length]!;
    this.counters.asked++;
    const { bytes, head } = this.#headOf(app);
    const match = ingress.machine!.match(bytes, head);
    if (!match) return this.#lost(ingress, app, "no route leads to it");
    this.#attempt({
      ingress,
      start: ingress.startedMs,
      app,
      destination: match.destination,
      tried: [],
      askedMs: this.#ground.timeline.nowMs,
      heldUntilMs: 0,
      heldMs: 0,
      isHeld: false,
      attempts: 0,
      resets: 0,
    });
  }

  #headOf(app: string): { bytes: Uint8Array; head: RequestHead } {
    let known = this.#heads.get(app);
    if (!known) {
      const bytes = new TextEncoder().encode(`GET /${app}/page HTTP/1.1\r\nHost: sim\r\n\r\n`);
      const head = new RequestHead();
      head.restart(0);
      head.parse(bytes, bytes.length);
      this.#heads.set(app, known = { bytes, head });
    }
    return known;
  }

  #attempt(request: Request): void {
    const { ingress, destination, tried } = request;
    const { nowMs } = this.#ground.timeline;
    const replica = destination.pool.pick(nowMs, tried.length > 0 ? tried : null);
    if (!replica) {
      if (this.#hold(request)) return;
      this.#count(request, null, 503);
      return this.#lost(ingress, request.app, "no replica is ready");
    }
    if (request.attempts === 0) this.#share(request, replica);
    request.attempts++;
    replica.outstanding++;
    replica.circuit.began();
    const { host, port } = replica.endpoint;
    const node = this.#nodes.get(host);
    if (!node?.powered || this.#ground.network.isCut(ingress.host, host)) {
      // Nobody answers: the connection is not refused, it hangs.
      return this.#ground.timeline.after(
        CONNECT_MS,
        () => this.#unreachable(request, replica, "does not take connections"),
      );
    }
    const process = node.listener(port);
    if (!process) {
      this.#judge.refused(ingress, replica);
      return this.#unreachable(request, replica, "refuses connections");
    }
    if (process.replica !== replica.endpoint.replica) {
      this.#judge.misdirected(ingress, replica, process);
    }
    this.#serve(request, replica, process);
  }

  #share({ ingress, app, destination: { route, pool } }: Request, replica: Replica): void {
    const { canary } = route;
    const isOld = (each: Replica) => each.endpoint.generation !== canary?.generation;
    if (canary === undefined || !pool.replicas.some(isOld)) return;
    const key = `${ingress.name} ${ingress.startedMs} ${app} ${canary.generation}`;
    const share = this.#shares.get(key) ?? { all: 0, canary: 0 };
    this.#shares.set(key, share);
    share.all++;
    if (isOld(replica)) return;
    share.canary++;
    this.#judge.shared(ingress, app, share.canary, share.all);
  }

  /** Waits for the app to get a replica: one that sleeps, or one that has just answered. */
  #hold(request: Request): boolean {
    const { ingress, destination: { route, pool } } = request;
    const { nowMs } = this.#ground.timeline;
    const machine = ingress.machine!;
    const holds = route.wake ? machine.holds : machine.recovering;
    const forMs = route.wake
      ? HELD_MS
      : nowMs - pool.answeredMs < RECENT_ANSWER_MS
      ? RECOVER_MS
      : 0;
    if (request.heldUntilMs === 0) {
      request.heldUntilMs = nowMs + forMs;
      request.heldMs = nowMs;
    }
    if (nowMs >= request.heldUntilMs || !holds.add(pool.app, request, 100)) return false;
    request.isHeld = true;
    if (route.wake) ingress.wake(pool.app);
    const untilMs = request.heldUntilMs;
    this.#ground.timeline.at(untilMs, () => {
      if (!this.#isThere(request) || !request.isHeld) return;
      holds.remove(pool.app, request);
      this.#count(request, null, 503);
      this.#lost(
        ingress,
        request.app,
        `it was not ready in ${Math.round(untilMs - request.heldMs)} ms`,
      );
    });
    return true;
  }

  /** What it waited for is there. */
  #goOn(request: Request): void {
    request.isHeld = false;
    if (this.#isThere(request)) this.#attempt(request);
  }

  /** The figures that rollouts and scaling are judged by. */
  #count(request: Request, replica: Replica | null, status: number): void {
    const { ingress, app, askedMs } = request;
    const counted = replica?.counted ?? ingress.machine!.figures.of(app, 0);
    counted.count(status, this.#ground.timeline.nowMs - askedMs);
  }

  #serve(request: Request, replica: Replica, process: Process): void {
    const { ingress } = request;
    const { timeline, prng } = this.#ground;
    const long = prng.below(50) === 0;
    const serviceMs = long ? 300 + prng.next() * 900 : 1 + prng.next() * 20;
    const { replica: id } = replica.endpoint;
    ingress.inFlight.set(id, (ingress.inFlight.get(id) ?? 0) + 1);
    const pending = { request, replica };
    const all = this.#pending.get(process) ?? new Set();
    this.#pending.set(process, all.add(pending));
    timeline.after(serviceMs, () => {
      if (!all.delete(pending) || !this.#isThere(request)) return;
      if (!process.alive) {
        ingress.left(replica);
        return this.#lost(ingress, request.app, "its host vanished with the request");
      }
      this.#leaves(ingress, replica);
      const { pool, route } = request.destination;
      pool.answeredMs = timeline.nowMs;
      if (replica.circuit.succeeded(timeline.nowMs)) pool.warms(replica);
      this.#count(request, replica, process.behaviour === "errors" ? 500 : 200);
      ingress.left(replica);
      if (route.wake && request.heldMs > 0) {
        this.#judge.woke(ingress, request.app, timeline.nowMs - request.heldMs);
      }
      if (process.behaviour === "errors") this.counters.errors++;
      else this.counters.answered++;
    });
  }

  /** A program has ended: its connections are reset, unless its machine has lost power. */
  ended(process: Process, powered: boolean): void {
    const all = this.#pending.get(process);
    if (!all) return;
    this.#pending.delete(process);
    for (const pending of [...all]) {
      if (this.#isThere(pending.request)) this.#leaves(pending.request.ingress, pending.replica);
      if (!powered) continue;
      this.#ground.timeline.after(0.2, () => {
        if (all.delete(pending) && this.#isThere(pending.request)) {
          this.#reset(pending.request, pending.replica);
        }
      });
    }
  }

  /** The ingress that has it has not been killed meanwhile. */
  #isThere({ ingress, start }: Request): boolean {
    return ingress.up && ingress.startedMs === start;
  }

  #leaves(ingress: IngressHost, replica: Replica): void {
    const { replica: id } = replica.endpoint;
    const left = (ingress.inFlight.get(id) ?? 1) - 1;
    if (left > 0) ingress.inFlight.set(id, left);
    else ingress.inFlight.delete(id);
  }

  #reset(request: Request, replica: Replica): void {
    replica.circuit.failed(this.#ground.timeline.nowMs, false);
    if (request.resets > 0 || request.attempts >= ATTEMPTS) {
      this.#count(request, replica, 502);
      request.ingress.left(replica);
      return this.#lost(request.ingress, request.app, "two replicas died with the request");
    }
    request.resets++;
    this.#retry(request, replica);
  }

  #unreachable(request: Request, replica: Replica, what: string): void {
    const { ingress, destination, tried } = request;
    if (!this.#isThere(request)) return;
    replica.circuit.failed(this.#ground.timeline.nowMs, true);
    const untried = destination.pool.replicas.some((each) =>
      each !== replica && !tried.includes(each)
    );
    if (untried && request.attempts < ATTEMPTS) return this.#retry(request, replica);
    this.#count(request, replica, 502);
    ingress.left(replica);
    this.#lost(ingress, request.app, `${replica.endpoint.replica} ${what}`);
  }

  #retry(request: Request, replica: Replica): void {
    this.counters.retried++;
    request.tried.push(replica);
    request.ingress.left(replica);
    this.#attempt(request);
  }

  #lost(ingress: IngressHost, app: string, why: string): void {
    this.counters.lost++;
    this.#judge.lost(ingress, app, why);
  }
}
