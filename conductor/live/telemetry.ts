// The telemetry sink: follows the logs of every node and keeps them, with load and traffic, in one
// bounded file. Nobody waits for it: where it cannot keep up or cannot write, it misses lines.

import type { DeckSample } from "../../core/deck_view.ts";
import {
  LOG_LINE_BYTES,
  SPANS_RECALLED,
  TELEMETRY_AGAIN_MAX_MS,
  TELEMETRY_AGAIN_MS,
  TELEMETRY_NODES,
  TELEMETRY_PENDING,
  TELEMETRY_SAMPLE_MS,
  TELEMETRY_WRITE_MS,
} from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { replicaId } from "../../core/replica_id.ts";
import { integer, oneOf, parseShaped, struct, text } from "../../core/shape.ts";
import type { LogView } from "../../core/view.ts";
import { Again } from "../again.ts";
import type { FleetNode } from "../fleet/fleet.ts";
import { MetricBook } from "../telemetry/metric_book.ts";
import { metricsOf } from "../telemetry/metrics.ts";
import { SpanSeries } from "../telemetry/span_series.ts";
import { spansOf } from "../telemetry/spans.ts";
import { type Known, LineCursor, type NodeLine } from "../telemetry/telemetry.ts";
import type { TellsOf } from "../telemetry/teller.ts";
import { TraceBook } from "../telemetry/trace_book.ts";
import { type LogSearch, TelemetryStore } from "./telemetry_store.ts";

const nodeLine = struct({
  replica: replicaId,
  number: integer(0, 2 ** 52),
  at: integer(0, 2 ** 52),
  line: text(LOG_LINE_BYTES * 2),
  stream: oneOf("stdout", "stderr"),
});

export interface TelemetryParts {
  readonly path: string;
  readonly maxBytes: number;
  /** What it is encrypted by on disk; absent: it is not. */
  readonly key?: Uint8Array;
  /** Every node that is known. */
  nodes(): Iterable<FleetNode>;
  sample(): DeckSample;
  /** Whose word counts for whom. */
  readonly tellsOf: TellsOf;
  wallMs(): number;
  /** Asks a node over HTTP. */
  ask(node: FleetNode, path: string, signal: AbortSignal): Promise<Response>;
}

const log = logger("telemetry");

export class Telemetry implements Disposable {
  /** What the lines tell of traces, lately. */
  readonly traces = new TraceBook();
  readonly spanSeries = new SpanSeries();
  /** What they tell of values. */
  readonly metrics = new MetricBook();
  /** Resolves once the spans and values are known that were gathered before it began. */
  readonly recalled: Promise<void>;
  readonly #parts: TelemetryParts;
  readonly #store: TelemetryStore;
  readonly #streams = new Map<string, AbortController>();
  readonly #cursor: LineCursor;
  readonly #again = new Again(TELEMETRY_AGAIN_MS, TELEMETRY_AGAIN_MAX_MS);
  readonly #timers: ReturnType<typeof setInterval>[];
  readonly #followers = new Set<(line: LogView) => void>();
  #pending: LogView[] = [];
  /** Up to where the lines that wait to be written go. */
  readonly #pendingCursors = new Map<string, Known>();
  #failing = false;
  /** Lines that were not kept, because too many came or the file could not be written. */
  missed = 0;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
    this.#store = new TelemetryStore(parts.path, parts.maxBytes, parts.key ?? null);
    this.#cursor = new LineCursor(this.#store.cursors());
    this.recalled = this.#recall().catch((error) =>
      log.debug("spans that were gathered before are not known: {error}", { error })
    );
    this.#timers = [
      setInterval(() => this.#look(), TELEMETRY_AGAIN_MS),
      setInterval(() => this.#write(), TELEMETRY_WRITE_MS),
      setInterval(
        () => this.#keep(() => this.#store.addSample(parts.sample())),
        TELEMETRY_SAMPLE_MS,
      ),
    ];
  }

  /** The newest lines that match, oldest first. */
  async search(search: LogSearch): Promise<LogView[]> {
    this.#write();
    return await this.#store.search(search);
  }

  /** Hears every line from now on; the returned function ends that. */
  follow(hear: (line: LogView) => void): () => void {
    this.#followers.add(hear);
    return () => this.#followers.delete(hear);
  }

  /** How load and traffic were since a time, oldest first; nothing where the file cannot be read. */
  samples(sinceWallMs: number): DeckSample[] {
    try {
      return this.#store.samples(sinceWallMs);
    } catch (error) {
      log.error("what was gathered before cannot be read: {error}", { error: String(error) });
      return [];
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const stream of this.#streams.values()) stream.abort();
    this.#write();
    this.#store.close();
  }

  /** Begins to follow what is not followed yet. */
  #look(): void {
    for (const node of this.#parts.nodes()) {
      if (this.#streams.size >= TELEMETRY_NODES) return;
      if (node.state !== "ready" || !node.beat || this.#streams.has(node.id)) continue;
      if (!this.#again.may(node.id, performance.now())) continue;
      const stream = new AbortController();
      this.#streams.set(node.id, stream);
      this.#follow(node, stream.signal).catch((error) => {
        // In a large fleet each attempt is a handshake for nothing.
        this.#again.failed(node.id, performance.now());
        if (!stream.signal.aborted) log.debug("{node}: {error}", { node: node.name, error });
      }).finally(() => this.#streams.delete(node.id));
    }
  }

  async #follow(node: FleetNode, signal: AbortSignal): Promise<void> {
    const response = await this.#parts.ask(node, "/logs?follow=1", signal);
    const boot = response.headers.get("skr8tr-boot");
    if (!response.ok || !response.body || boot === null) {
      await response.body?.cancel();
      return;
    }
    this.#again.worked(node.id);
    const cursor = this.#cursor;
    let rest = "";
    // What the node had when it was asked comes in pieces, and is compared as a whole.
    let past: NodeLine[] | null = [];
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      const texts = (rest + part).split("\n");
      rest = texts.pop()!;
      let batch: NodeLine[] = [];
      for (const each of texts) {
        // An empty line ends what the node had when it was asked.
        if (each === "") {
          this.#take(node, cursor.fresh(boot, [...past ?? [], ...batch]));
          past = null;
          batch = [];
          continue;
        }
        const line = parseShaped(nodeLine, each);
        if (line) batch.push(line);
      }
      if (past) past.push(...batch);
      else this.#take(node, cursor.fresh(boot, batch));
    }
  }

  #take(node: FleetNode, lines: readonly NodeLine[]): void {
    for (const { replica, at, line, stream } of lines) {
      if (this.#pending.length >= TELEMETRY_PENDING) {
        this.missed++;
        continue;
      }
      this.#pendingCursors.set(replica, this.#cursor.known(replica)!);
      const app = replica.slice(0, replica.lastIndexOf("."));
      const told: LogView = {
        ...{ wallMs: at, app, replica, node: node.name, line },
        ...(stream === "stderr" ? { stream } : {}),
      };
      this.#pending.push(told);
      this.#count(told);
      for (const hear of this.#followers) hear(told);
    }
  }

  /** Takes in the spans and values that a conductor before this one has gathered. */
  async #recall(): Promise<void> {
    for (const line of await this.#store.search({ limit: SPANS_RECALLED })) this.#count(line);
  }

  /** Counts the spans and values that a line may tell of. */
  #count(line: LogView): void {
    const { tellsOf, wallMs } = this.#parts;
    for (const span of spansOf(line, tellsOf)) {
      if (this.traces.add(span)) this.spanSeries.add(span, wallMs());
    }
    for (const told of metricsOf(line, tellsOf)) this.metrics.add(told, line.wallMs, wallMs());
  }

  #write(): void {
    if (this.#pending.length === 0) return;
    const lines = this.#pending;
    const cursors = new Map(this.#pendingCursors);
    this.#pending = [];
    this.#pendingCursors.clear();
    if (!this.#keep(() => this.#store.add(lines, cursors))) this.missed += lines.length;
  }

  /** Does what needs the file; a full disk is said once, and costs lines. */
  #keep(work: () => void): boolean {
    try {
      work();
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) {
        log.error("telemetry is not being kept: {error}", { error: String(error) });
      }
      this.#failing = true;
      return false;
    }
  }
}
