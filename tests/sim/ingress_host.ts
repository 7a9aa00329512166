import { type Endpoint, parseWatch, type WatchMessage } from "./watch_message.ts";
import { ingressDial } from "../../core/dial.ts";
import { INGRESS_LEASE_MS } from "../../core/limits.ts";
import type { Replica } from "../../ingress/balance.ts";
import { type IngressEffect, type IngressEvent, IngressMachine } from "../../ingress/machine.ts";
import { Daemon, type Ground } from "./daemon.ts";
import type { TowerHost } from "./tower_host.ts";
import { type StreamOwner, TowerStream } from "./tower_stream.ts";

export class IngressHost extends Daemon {
  machine: IngressMachine | null = null;
  /** When its tower last heard it, at the earliest. */
  lastSaidMs = -Infinity;
  /** When it last spoke after a silence as long as its lease: until then nobody waited for it. */
  returnedMs = -Infinity;
  /** Since when the stream has stood. */
  connectedMs = Infinity;
  /** For how long it had none before that, in virtual ms. */
  gapMs = Infinity;
  /** Since when the stream has been gone; `null` while it stands. */
  lostMs: number | null = 0;
  /** Replica -> requests on their way there through this ingress. */
  readonly inFlight = new Map<string, number>();
  /** When it left a tower last, since its start. */
  #leftMs: number | null = null;
  /** A request that was held may go on. */
  onAwake: (request: unknown) => void = () => {};
  #stream: TowerStream | null = null;
  /** Whose stream stands. */
  #tower: TowerHost | null = null;

  constructor(ground: Ground, readonly towers: readonly TowerHost[], readonly index: number) {
    super(ground, `ingress-${index}`, `10.0.2.${index}`);
  }

  get connected(): boolean {
    return this.#tower !== null;
  }

  /** The one that it watches, or has watched last. */
  lastTower: TowerHost | null = null;

  /** Its tower counts it among those that listen; so does one of several that it has just left. */
  get listens(): boolean {
    return this.up && !this.paused && (this.connected || this.towers.length > 1) &&
      this.ground.timeline.nowMs - this.lastSaidMs < 1_000;
  }

  /** Replicas that a request may be sent to now. */
  targets(): Endpoint[] {
    const replicas = [...this.machine?.allReplicas() ?? []];
    return replicas.filter((each) => !each.gone).map((each) => each.endpoint);
  }

  protected begin(): void {
    this.machine = new IngressMachine({
      name: this.name,
      boot: this.ground.prng.hex(16),
    }, this.now);
    this.inFlight.clear();
    this.lostMs = this.startedMs;
    this.#leftMs = null;
    const owner: StreamOwner = {
      host: this.host,
      network: this.ground.network,
      prng: this.ground.prng,
      nowMs: () => this.now.monoMs,
      enter: (run) => this.enter(run),
      later: (delayMs, run) => this.later(delayMs, run),
      connected: (tower) => this.#connected(tower),
      lost: (_, stood) => this.#lost(stood),
      heard: (text) => this.#receive(parseWatch(text)),
    };
    this.#stream = new TowerStream(owner, this.towers, ingressDial(this.towers.length));
    this.#stream.start();
    this.#tick();
  }

  protected end(): void {
    this.machine = null;
    this.#tower = this.lastTower = null;
    this.#stream?.close();
    this.#stream = null;
  }

  /** A request has left the replica. */
  left(replica: Replica): void {
    replica.outstanding--;
    if (this.machine) this.#perform(this.machine.idle(replica, this.now));
  }

  /** A request waits for an app that sleeps. */
  wake(app: string): void {
    if (this.machine) this.#perform(this.machine.wake(app, this.now));
  }

  #tick(): void {
    this.#step({ k: "tick" });
    this.later(250, () => this.#tick());
  }

  #connected(tower: TowerHost): void {
    this.#tower = this.lastTower = tower;
    this.connectedMs = this.ground.timeline.nowMs;
    this.gapMs = this.connectedMs - (this.#leftMs ?? -Infinity);
    this.#step({ k: "connected" });
  }

  #lost(stood: boolean): void {
    this.#tower = null;
    if (!stood) return;
    this.lostMs = this.#leftMs = this.ground.timeline.nowMs;
    this.#step({ k: "lost" });
  }

  #receive(message: WatchMessage): void {
    this.lostMs = null;
    if (this.ground.planted === "stale-table" && message.k === "delta") {
      return this.#step({ k: "message", message: { ...message, down: [] } });
    }
    if (this.ground.planted === "no-share" && message.k === "routes") {
      const routes = message.routes.map((route) =>
        route.canary ? { ...route, canary: { ...route.canary, percent: 100 } } : route
      );
      return this.#step({ k: "message", message: { ...message, routes } });
    }
    this.#step({ k: "message", message });
  }

  #step(event: IngressEvent): void {
    if (this.machine) this.#perform(this.machine.step(event, this.now));
  }

  #perform(effects: readonly IngressEffect[]): void {
    for (const effect of effects) {
      if (effect.k === "awake") this.#awake(effect.app);
      if (effect.k !== "send") continue;
      const { k } = effect.message;
      if (k === "wake" && this.ground.planted === "asleep") continue;
      if (k === "ack" || k === "hello") this.#speaks();
      this.#stream?.send(effect.message);
    }
  }

  #speaks(): void {
    const { monoMs } = this.now;
    if (monoMs - this.lastSaidMs > INGRESS_LEASE_MS - 100) this.returnedMs = monoMs;
    this.lastSaidMs = monoMs;
  }

  #awake(app: string): void {
    for (const holds of [this.machine!.holds, this.machine!.recovering]) {
      for (const request of holds.take(app)) this.onAwake(request);
    }
  }
}
