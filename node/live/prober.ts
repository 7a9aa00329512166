// Probes: GET and TCP in the health worker, EXEC here, since a worker may run nothing.

import { HEALTH_PING_MS, PROBE_BYTES } from "../../core/limits.ts";
import type { HealthCheck } from "../../core/manifest/spec.ts";
import type { NodeEffect, NodeEvent } from "../effects.ts";
import type { ProbeResult } from "../health.ts";
import type { LaunchPlan } from "../plan.ts";
import { KeptWorker, NO_PERMISSIONS, type Ping, type Pong } from "./kept_worker.ts";

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
  | Ping;

export type FromWorker =
  | {
    readonly k: "probed";
    readonly probe: string;
    readonly result: ProbeResult;
    readonly detail: string;
  }
  | Pong;

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
  readonly #worker: KeptWorker<ToWorker, FromWorker>;
  /** Probe -> replica. */
  readonly #underWay = new Map<string, string>();

  constructor(private readonly options: ProberOptions) {
    const { host } = options;
    this.#worker = new KeptWorker<ToWorker, FromWorker>({
      name: "health",
      url: options.workerUrl,
      permissions: { ...NO_PERMISSIONS, net: [host.includes(":") ? `[${host}]` : host] },
      hear: (message) => this.#hear(message),
      replaced: () => {
        this.#underWay.clear();
        options.dispatch({ on: "probes-lost" });
      },
      hung: options.hung,
    });
  }

  /** How often the worker was replaced. */
  get replacements(): number {
    return this.#worker.replacements;
  }

  #hear(message: FromWorker): void {
    if (message.k !== "probed") return;
    const { probe, result, detail } = message;
    const replica = this.#underWay.get(probe);
    this.#underWay.delete(probe);
    if (replica !== undefined) {
      this.options.dispatch({ on: "probed", replica, probe, result, detail });
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
    const { host } = this.options;
    this.#worker.post({ k: "probe", probe, check, host, port, timeoutMs, maxBytes: PROBE_BYTES });
  }

  /** Probes the node's own port once, for nobody. */
  warmUp(port: number): void {
    this.#worker.post({
      k: "probe",
      probe: "warm-up",
      check: { kind: "get", path: "/health", status: 200 },
      host: this.options.host,
      port,
      timeoutMs: HEALTH_PING_MS,
      maxBytes: PROBE_BYTES,
    });
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
    this.#worker[Symbol.dispose]();
  }
}
