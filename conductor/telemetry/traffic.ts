// What the ingresses see of the apps' requests: what canaries, scaling and sleep are judged by.

import {
  TRAFFIC_APPS,
  TRAFFIC_COARSE_KEEP_MS,
  TRAFFIC_COARSE_MS,
  TRAFFIC_FINE_KEEP_MS,
  TRAFFIC_FINE_MS,
  TRAFFIC_INGRESSES,
  TRAFFIC_RATE_MS,
  TRAFFIC_SILENT_MS,
} from "../../core/limits.ts";
import type { TrafficSample } from "../../core/deck_view.ts";
import type { Figure, Figures } from "../../core/mesh.ts";
import { LATENCY_BUCKETS, noLatencies, percentile } from "./latency.ts";

/** What happened to one generation of an app in a span of time. */
export interface Between {
  readonly requests: number;
  /** Answers of 500 and above. */
  readonly errors: number;
  /** Upper bounds of the bucket that holds the percentile; 0 without requests. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** Answers by their time: one count for each of `LATENCY_BOUNDS_MS`, and for what took longer. */
  readonly latency: readonly number[];
}

/** Cumulative over all ingresses, since the conductor listens. */
interface Sample {
  readonly atMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly latency: readonly number[];
}

/** One generation of an app. */
interface Track {
  requests: number;
  errors: number;
  readonly latency: number[];
  /** Oldest first; the last may still be replaced. */
  readonly samples: Sample[];
}

interface AppTraffic {
  readonly generations: Map<number, Track>;
  /** When a request was last seen to end or to be under way. */
  activeMs: number;
}

/** One start of one ingress. */
interface Source {
  readonly boot: string;
  heardMs: number;
  /** Of its newest word. */
  order: number;
  /** It has told a whole; what it tells for the first time from here on began at 0. */
  known: boolean;
  readonly last: Map<string, Figure>;
}

/**
 * The requests of all apps as the ingresses count them. All times are ms of the conductor's
 * monotonic clock. Holds no more than limits.ts allows: what is old is kept coarsely, then not.
 *
 * Loss: figures are cumulative, so one that did not come is made up for by the next; one that is older
 * than what was heard already is passed over. A conductor
 * that has just started knows only of growth since its first whole of each ingress.
 */
export class Traffic {
  readonly #apps = new Map<string, AppTraffic>();
  /** By name of the ingress: a restarted one replaces what it was. */
  readonly #sources = new Map<string, Source>();
  /** Since when some ingress has told its figures without a gap. */
  #listeningSinceMs = Infinity;
  #heardMs = -Infinity;
  #tracks = 0;

  /** Takes in what an ingress says. */
  take(figures: Figures, nowMs: number): void {
    const source = this.#sourceOf(figures, nowMs);
    if (source !== null && figures.order !== undefined) {
      // It came late, by another tower than what is newer.
      if (figures.order <= source.order) return;
      source.order = figures.order;
    }
    if (nowMs - this.#heardMs > TRAFFIC_SILENT_MS) this.#listeningSinceMs = nowMs;
    this.#heardMs = nowMs;
    if (source === null || (!source.known && !figures.whole)) return;
    for (const figure of figures.apps) this.#figure(source, figure, nowMs);
    source.known = true;
  }

  /** An app was asked for that has no replica. */
  wake(app: string, nowMs: number): void {
    this.#appOf(app, nowMs).activeMs = nowMs;
  }

  /** What happened to a generation of an app from `sinceMs` to `nowMs`. */
  between(app: string, generation: number, sinceMs: number, nowMs: number): Between {
    const track = this.#apps.get(app)?.generations.get(generation);
    return growth(track === undefined ? [] : [track], sinceMs, nowMs);
  }

  /** How all generations of an app do now; `null` where no ingress has told of any request. */
  lately(app: string, nowMs: number): TrafficSample | null {
    const traffic = this.#apps.get(app);
    if (traffic === undefined || traffic.generations.size === 0) return null;
    const sinceMs = this.#rateSinceMs(nowMs);
    const { requests, errors, p50Ms, p95Ms, latency } = growth(
      [...traffic.generations.values()],
      sinceMs,
      nowMs,
    );
    const perSecond = 1000 / Math.max(1_000, nowMs - sinceMs);
    return {
      requestsPerSecond: requests * perSecond,
      errorsPerSecond: errors * perSecond,
      p50Ms,
      p95Ms,
      p99Ms: percentile(latency, 0.99),
      inFlight: this.inFlight(app),
    };
  }

  /** Requests a second of an app, all generations, over the last `TRAFFIC_RATE_MS`. */
  ratePerSecond(app: string, nowMs: number): number {
    const traffic = this.#apps.get(app);
    if (traffic === undefined) return 0;
    const sinceMs = this.#rateSinceMs(nowMs);
    const { requests } = growth([...traffic.generations.values()], sinceMs, nowMs);
    return requests * 1000 / Math.max(1_000, nowMs - sinceMs);
  }

  /** Shortly after the start there is less to look back at. */
  #rateSinceMs(nowMs: number): number {
    return Math.min(nowMs, Math.max(nowMs - TRAFFIC_RATE_MS, this.#listeningSinceMs));
  }

  /** Requests of an app that are under way or held now, on ingresses that are heard. */
  inFlight(app: string): number {
    let sum = 0;
    for (const source of this.#sources.values()) {
      if (this.#heardMs - source.heardMs > TRAFFIC_SILENT_MS) continue;
      for (const figure of source.last.values()) if (figure.app === app) sum += figure.inFlight;
    }
    return sum;
  }

  /**
   * Since when no request of the app has been seen: its last, or the beginning of unbroken
   * listening, whichever is later. Infinity while no ingress is heard: then nobody knows.
   */
  idleSinceMs(app: string, nowMs = this.#heardMs): number {
    if (nowMs - this.#heardMs > TRAFFIC_SILENT_MS || this.inFlight(app) > 0) return Infinity;
    return Math.max(this.#apps.get(app)?.activeMs ?? -Infinity, this.#listeningSinceMs);
  }

  /** Whether any ingress has told its figures lately. */
  isHeard(nowMs: number): boolean {
    return nowMs - this.#heardMs <= TRAFFIC_SILENT_MS;
  }

  /** An app is gone for good. */
  forget(app: string): void {
    this.#tracks -= this.#apps.get(app)?.generations.size ?? 0;
    this.#apps.delete(app);
    for (const { last } of this.#sources.values()) {
      for (const [key, figure] of last) if (figure.app === app) last.delete(key);
    }
  }

  #sourceOf({ name, boot }: Figures, nowMs: number): Source | null {
    let source = this.#sources.get(name);
    if (source === undefined || source.boot !== boot) {
      if (source === undefined && this.#sources.size >= TRAFFIC_INGRESSES) {
        this.#forgetSilent(nowMs);
        if (this.#sources.size >= TRAFFIC_INGRESSES) return null;
      }
      this.#sources.set(
        name,
        source = { boot, heardMs: nowMs, order: 0, known: false, last: new Map() },
      );
    }
    source.heardMs = nowMs;
    return source;
  }

  #forgetSilent(nowMs: number): void {
    for (const [name, { heardMs }] of this.#sources) {
      if (nowMs - heardMs > TRAFFIC_SILENT_MS) this.#sources.delete(name);
    }
  }

  #figure(source: Source, figure: Figure, nowMs: number): void {
    const key = `${figure.generation} ${figure.app}`;
    const before = source.last.get(key);
    if (before === undefined && source.last.size >= TRAFFIC_APPS) return;
    source.last.set(key, figure);
    const traffic = this.#appOf(figure.app, nowMs);
    // The first whole only says from where to count. What has fallen was begun anew.
    const fell = before !== undefined && figure.requests < before.requests;
    const since = before === undefined && !source.known ? figure : fell ? undefined : before;
    const grown = figure.requests - (since?.requests ?? 0);
    if (grown > 0 || figure.inFlight > 0 || (before?.inFlight ?? 0) > 0) traffic.activeMs = nowMs;
    const track = this.#trackOf(traffic, figure.generation);
    if (track === null) return;
    track.requests += grown;
    track.errors += Math.max(0, figure.errors - (since?.errors ?? 0));
    for (let at = 0; at < LATENCY_BUCKETS; at++) {
      track.latency[at]! += Math.max(0, (figure.latency[at] ?? 0) - (since?.latency[at] ?? 0));
    }
    keep(track, nowMs);
  }

  #appOf(app: string, nowMs: number): AppTraffic {
    let traffic = this.#apps.get(app);
    if (traffic === undefined) {
      this.#apps.set(app, traffic = { generations: new Map(), activeMs: -Infinity });
      if (this.#apps.size > TRAFFIC_APPS) this.#forgetIdlest(nowMs);
    }
    return traffic;
  }

  #forgetIdlest(nowMs: number): void {
    let idlest: string | null = null;
    let activeMs = nowMs;
    for (const [app, traffic] of this.#apps) {
      if (traffic.activeMs >= activeMs || traffic.activeMs === -Infinity) continue;
      idlest = app;
      activeMs = traffic.activeMs;
    }
    if (idlest !== null) this.forget(idlest);
  }

  #trackOf(traffic: AppTraffic, generation: number): Track | null {
    let track = traffic.generations.get(generation);
    if (track !== undefined) return track;
    if (this.#tracks >= TRAFFIC_APPS) return null;
    this.#tracks++;
    track = { requests: 0, errors: 0, latency: noLatencies(), samples: [] };
    traffic.generations.set(generation, track);
    // The generations that came before the last two are history.
    if (traffic.generations.size > GENERATIONS_KEPT) {
      const oldest = Math.min(...[...traffic.generations.keys()].filter((each) => each > 0));
      traffic.generations.delete(oldest);
      this.#tracks--;
    }
    return track;
  }
}

const GENERATIONS_KEPT = 6;

/** Notes where a track stands; samples come closer than `TRAFFIC_FINE_MS` only in place of the last. */
function keep(track: Track, nowMs: number): void {
  const { samples, requests, errors } = track;
  const sample: Sample = { atMs: nowMs, requests, errors, latency: track.latency.slice() };
  const last = samples.at(-1);
  const secondLast = samples.at(-2);
  if (last !== undefined && nowMs - (secondLast?.atMs ?? -Infinity) < TRAFFIC_FINE_MS) {
    samples[samples.length - 1] = sample;
    return;
  }
  samples.push(sample);
  thin(samples, nowMs);
}

/** Leaves of what is no longer fresh one sample in each `TRAFFIC_COARSE_MS`. */
function thin(samples: Sample[], nowMs: number): void {
  while (samples.length > 2 && samples[1]!.atMs < nowMs - TRAFFIC_COARSE_KEEP_MS) samples.shift();
  const freshMs = nowMs - TRAFFIC_FINE_KEEP_MS;
  for (let at = 1; at + 1 < samples.length && samples[at]!.atMs < freshMs;) {
    // The two beside it are near enough to each other without it.
    if (samples[at + 1]!.atMs - samples[at - 1]!.atMs <= TRAFFIC_COARSE_MS) samples.splice(at, 1);
    else at++;
  }
}

/** What was added to some tracks together in a span of time. */
function growth(tracks: readonly Track[], sinceMs: number, nowMs: number): Between {
  let requests = 0;
  let errors = 0;
  const latency = noLatencies();
  for (const track of tracks) {
    const from = sampleAt(track, sinceMs);
    const to = sampleAt(track, nowMs);
    requests += (to?.requests ?? 0) - (from?.requests ?? 0);
    errors += (to?.errors ?? 0) - (from?.errors ?? 0);
    for (let at = 0; at < LATENCY_BUCKETS; at++) {
      latency[at]! += (to?.latency[at] ?? 0) - (from?.latency[at] ?? 0);
    }
  }
  return {
    requests,
    errors,
    p50Ms: percentile(latency, 0.5),
    p95Ms: percentile(latency, 0.95),
    latency,
  };
}

/** How a track stood at a time: as said last before it; `null` before anything was said. */
function sampleAt(track: Track, atMs: number): Sample | null {
  const { samples } = track;
  for (let at = samples.length - 1; at >= 0; at--) {
    if (samples[at]!.atMs <= atMs) return samples[at]!;
  }
  return null;
}
