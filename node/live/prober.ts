// Probes: GET and TCP in the health worker, EXEC here, since a worker may run nothing.

import { HEALTH_HUNG_MS, HEALTH_PING_MS, HEALTH_START_MS, PROBE_BYTES } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { HealthCheck } from "../../core/manifest/spec.ts";
import type { NodeEffect, NodeEvent } from "../effects.ts";
import type { ProbeResult } from "../health.ts";
import type { LaunchPlan } from "../plan.ts";

type Timer = ReturnType<typeof setTimeout>;

const log = () => logger("health");

export type ToWorker =
  | {
    readonly k: "probe";
    readonly probe: string;
    readonly check: Extract<HealthCheck, { kind: "get" | "tcp" }>;
    readonly host: string;
    readonly port: number;
    readonly timeoutMs: number;
    /** Most of an answer that is read. */
    readonly maxBytes: number;
  }
  | { readonly k: "ping"; readonly number: number };

export type FromWorker =
  | {
    readonly k: "probed";
    readonly probe: string;
    readonly result: ProbeResult;
    readonly detail: string;
  }
  | { readonly k: "pong"; readonly number: number };

export interface ProberOptions {
  /** The only address that the worker may reach. */
  readonly host: string;
  /** The worker's program. */
  readonly workerUrl: URL;
  /** The whole environment of a replica's program. */
  environmentOf(replica: string, plan: LaunchPlan): Record<string, string>;
  dispatch(event: NodeEvent): void;
  /** The worker hangs, and nothing in this process can end it. */
  hung(): void;
}

type ProbeOrder = Extract<NodeEffect, { do: "probe" }>;

export class Prober implements Disposable {
  #worker: Worker;
  /** Probe -> replica. */
  readonly #underWay = new Map<string, string>();
  readonly #timer: Timer;
  #pings = 0;
  #pongs = 0;
  /** When the oldest ping without an answer went out. */
  #unansweredMs: number | null = null;
  #strikes = 0;
  /** It has answered once: until then it is being loaded. */
  #awake = false;
  #lastTickMs = performance.now();
  #replacements = 0;
  #closed = false;

  constructor(private readonly options: ProberOptions) {
    this.#worker = this.#start();
    this.#ping();
    this.#timer = setInterval(() => this.#tick(), HEALTH_PING_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** How often the worker was replaced. */
  get replacements(): number {
    return this.#replacements;
  }

  #start(): Worker {
    const worker = new Worker(this.options.workerUrl, {
      type: "module",
      name: "health",
      deno: {
        permissions: {
          net: [this.options.host.includes(":") ? `[${this.options.host}]` : this.options.host],
          read: false,
          write: false,
          run: false,
          env: false,
          sys: false,
          ffi: false,
          import: false,
        },
      },
    });
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#closed || worker !== this.#worker) return;
      log().error("the health worker failed and is replaced: {error}", { error: event.message });
      this.#replace();
    };
    return worker;
  }

  #replace(): void {
    this.#worker.terminate();
    this.#replacements++;
    this.#underWay.clear();
    this.#unansweredMs = null;
    this.#strikes = 0;
    this.#pongs = this.#pings;
    this.#awake = false;
    this.#worker = this.#start();
    this.#ping();
    this.options.dispatch({ on: "probes-lost" });
  }

  #ping(): void {
    this.#unansweredMs = performance.now();
    this.#worker.postMessage({ k: "ping", number: ++this.#pings } satisfies ToWorker);
  }

  #hear(message: FromWorker): void {
    if (message.k === "pong") {
      this.#pongs = message.number;
      this.#awake = true;
      if (this.#pongs === this.#pings) this.#unansweredMs = null;
      this.#strikes = 0;
      return;
    }
    const { probe, result, detail } = message;
    const replica = this.#underWay.get(probe);
    this.#underWay.delete(probe);
    if (replica !== undefined) {
      this.options.dispatch({ on: "probed", replica, probe, result, detail });
    }
  }

  /**
   * Asks the worker whether it lives. A process that was itself stopped or starved accuses nobody:
   * only rounds that came in time count, and it takes several in a row.
   */
  #tick(): void {
    const nowMs = performance.now();
    const late = nowMs - this.#lastTickMs > 2 * HEALTH_PING_MS;
    this.#lastTickMs = nowMs;
    if (this.#unansweredMs === null) return this.#ping();
    this.#strikes = late ? 0 : this.#strikes + 1;
    const patienceMs = this.#awake ? HEALTH_HUNG_MS : HEALTH_START_MS;
    if (this.#strikes * HEALTH_PING_MS >= patienceMs) {
      log().error("the health worker has not answered for {ms} ms", {
        ms: Math.round(nowMs - this.#unansweredMs),
      });
      this.options.hung();
    }
  }

  probe(order: ProbeOrder): void {
    const { replica, probe, check, timeoutMs, port } = order;
    if (check.kind === "exec") {
      this.#exec(order, check.command);
      return;
    }
    if (port === undefined) {
      const detail = `a ${check.kind.toUpperCase()} check needs a port in the manifest`;
      return this.options.dispatch({ on: "probed", replica, probe, result: "failed", detail });
    }
    this.#underWay.set(probe, replica);
    this.#worker.postMessage(
      {
        k: "probe",
        probe,
        check,
        host: this.options.host,
        port,
        timeoutMs,
        maxBytes: PROBE_BYTES,
      } satisfies ToWorker,
    );
  }

  /** Probes the node's own port once, for nobody. */
  warmUp(port: number): void {
    this.#worker.postMessage(
      {
        k: "probe",
        probe: "warm-up",
        check: { kind: "get", path: "/health", status: 200 },
        host: this.options.host,
        port,
        timeoutMs: HEALTH_PING_MS,
        maxBytes: PROBE_BYTES,
      } satisfies ToWorker,
    );
  }

  /** Runs an EXEC check's command by a shell, in the replica's folder and environment. */
  async #exec({ replica, probe, timeoutMs, plan }: ProbeOrder, command: string): Promise<void> {
    const answer = (result: ProbeResult, detail: string) =>
      this.options.dispatch({ on: "probed", replica, probe, result, detail });
    try {
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", command],
        cwd: plan.cwd,
        env: this.options.environmentOf(replica, plan),
        clearEnv: true,
        detached: true,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        try {
          Deno.kill(-child.pid, "SIGKILL");
        } catch {
          // It has just ended.
        }
      }, timeoutMs);
      const { code } = await child.status;
      clearTimeout(timer);
      if (late) answer("failed", `EXEC ${command}: no answer within ${timeoutMs} ms`);
      else if (code === 0) answer("passed", "");
      else answer("failed", `EXEC ${command}: exited with code ${code}`);
    } catch (error) {
      answer("failed", `EXEC ${command}: ${(error as Error).message}`);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#worker.terminate();
  }
}
