// The life of a replica: what leads from one of its states (replica.ts) to the next.

import type { Instant } from "../core/instant.ts";
import {
  ARTIFACT_RETRY_MAX_MS,
  ARTIFACT_RETRY_MIN_MS,
  BLOCKED_RETRY_MS,
  KILL_AGAIN_MS,
  PROBE_MIN_MS,
  REFUSED_QUICK_MS,
} from "../core/limits.ts";
import { ARTIFACT_CHANGED, type Exit, HEALTH_CHECK } from "../core/mesh.ts";
import { artifactOf, nextWaitMs, type SignedArtifact } from "./artifact.ts";
import type { Ended, NodeEffect, Use } from "./effects.ts";
import {
  judge,
  probePlanOf,
  type ProbeResult,
  rejectPass,
  startProbing,
  type Verdict,
} from "./health.ts";
import type { Towers } from "./towers.ts";
import { judgeMemory } from "./memory.ts";
import { planLaunch, type Surroundings, unsupported } from "./plan.ts";
import type { PortTable, Seeker } from "./ports.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { endpointOf, hasProcess, type Replica, savedOf, type State } from "./replica.ts";
import type { Label } from "./relabel.ts";
import { isUsedUp, nextRestart, shouldRestart } from "./restart.ts";
import { fitExit, fitReason } from "./status.ts";

/** What a replica's life needs of its node. */
export interface Stage {
  readonly around: Surroundings;
  readonly ports: PortTable;
  readonly tower: Towers;
  readonly hasTower: boolean;
  now: Instant;
  /** Probes sent before this moment by a machine that was asleep say nothing. */
  awakeMs: number;
  emit(effect: NodeEffect): void;
  /** The replica has changed: its status is looked at when the step is over. */
  touch(replica: Replica): void;
  nextProbe(replica: Replica): string;
}

/** Why a replica that answers its probes is not ready yet. */
export const UNLISTED = "waits for the tower to list it";

export class Life {
  constructor(private readonly stage: Stage) {}

  #to(replica: Replica, state: State, reason?: string): void {
    replica.state = state;
    replica.reason = reason === undefined ? undefined : fitReason(reason);
    this.stage.touch(replica);
  }

  get #nowMs(): number {
    return this.stage.now.monoMs;
  }

  // ---- On the way up ------------------------------------------------------------------------------

  /** Its record is there and verified. */
  recordHeld(replica: Replica, spec: AppSpec): void {
    const { state } = replica;
    if (state.at !== "record" && state.at !== "adopted") return;
    replica.spec = spec;
    if (state.at === "adopted") {
      return state.running ? this.#resume(replica, spec, state.wasReady) : undefined;
    }
    const missing = unsupported(spec, this.stage.around);
    if (missing !== null) this.refuse(replica, missing);
    else if (state.ended) this.#decide(replica, state.ended, describeExit(state.ended), 0);
    else {
      replica.reason = undefined;
      this.begin(replica);
    }
  }

  /** An adopted process whose spec is known (again). */
  #resume(replica: Replica, spec: AppSpec, wasReady: boolean): void {
    replica.plan = planLaunch(spec, selfOf(replica), this.stage.around);
    const plan = probePlanOf(spec);
    const probing = plan && startProbing(plan, this.#nowMs, wasReady);
    const sinceMs = this.#nowMs;
    if (wasReady) this.#to(replica, { at: "ready", probing, sinceMs, listed: true });
    else {
      const readyMs = this.#nowMs + (boundOf(replica, spec) ?? 0);
      this.#to(replica, { at: "starting", probing, readyMs, checking: false });
    }
  }

  /** It will never run. */
  refuse(replica: Replica, reason: string): void {
    if (hasProcess(replica.state) || replica.state.at === "finished") return;
    this.#finish(replica, { why: "launch", wallMs: this.stage.now.wallMs, tail: reason }, reason);
  }

  /** Starts (again): first a port, if it needs one. */
  begin(replica: Replica): void {
    const { spec } = replica;
    if (!spec) return this.#to(replica, { at: "record" }, replica.reason);
    const artifact = artifactOf(spec);
    if (artifact) return this.#fetch(replica, artifact);
    this.#start(replica, spec);
  }

  /** Its artifact must be here as it was signed, at each start. */
  #fetch(replica: Replica, artifact: SignedArtifact): void {
    const waitMs = replica.state.at === "artifact" ? replica.state.waitMs : undefined;
    const state: State = { at: "artifact", untilMs: Infinity, ...(waitMs ? { waitMs } : {}) };
    this.#to(replica, state, replica.reason);
    this.stage.emit({ do: "fetch", replica: replica.id, artifact, sources: replica.sources });
  }

  /** @param changed why what was here before is not run */
  fetched(replica: Replica, fault: string | null, changed?: string): void {
    const { state, spec } = replica;
    if (state.at !== "artifact" || !spec) return;
    const told = changed === undefined ? undefined : `${ARTIFACT_CHANGED}${changed}`;
    if (fault === null) {
      // Told until it is ready.
      replica.reason = told && fitReason(`${told}; it was replaced`);
      return this.#start(replica, spec);
    }
    const reason = told === undefined ? fault : `${told}; ${fault}`;
    const waitMs = nextWaitMs(state.waitMs, ARTIFACT_RETRY_MIN_MS, ARTIFACT_RETRY_MAX_MS);
    this.#to(replica, { at: "artifact", untilMs: this.#nowMs + waitMs, waitMs }, reason);
  }

  #start(replica: Replica, spec: AppSpec): void {
    if (spec.port) this.#seekPort(replica, spec.port, new Set());
    else this.#launch(replica, spec);
  }

  #seekPort(
    replica: Replica,
    wish: NonNullable<AppSpec["port"]>,
    refused: Set<number>,
  ): void {
    const { ports } = this.stage;
    const port = ports.next(replica.id, wish, replica.port, refused, this.#seeker(replica));
    if (port !== null) {
      this.#to(replica, { at: "port", trying: port, refused }, replica.reason);
      return this.stage.emit({ do: "try-port", replica: replica.id, port });
    }
    const holder = ports.holder(wish.number);
    const by = holder === undefined || holder === replica.id ? "another program" : holder;
    const reason = wish.fixed
      ? `port ${wish.number} is fixed and held by ${by} on ${this.stage.around.name}`
      : `port ${wish.number} is taken and none of the node's own range is free`;
    this.#to(replica, { at: "blocked", untilMs: this.#nowMs + BLOCKED_RETRY_MS }, reason);
  }

  #seeker({ app }: Replica): Seeker {
    return { app, nowMs: this.#nowMs };
  }

  portTried(replica: Replica, port: number, free: boolean): void {
    const { state, spec } = replica;
    if (state.at !== "port" || state.trying !== port || !spec?.port) return;
    // Two replicas that begin at once try the same port; the first to hear of it has it.
    const taken = (this.stage.ports.holder(port) ?? replica.id) !== replica.id;
    if (!free || taken) return this.#seekPort(replica, spec.port, state.refused.add(port));
    this.stage.ports.release(replica.id, this.#seeker(replica));
    this.stage.ports.take(port, replica.id);
    replica.port = port;
    this.#launch(replica, spec);
  }

  #launch(replica: Replica, spec: AppSpec): void {
    replica.instance++;
    replica.pid = undefined;
    replica.overMemory = 0;
    replica.plan = planLaunch(spec, selfOf(replica), this.stage.around);
    this.#to(replica, { at: "launching" }, replica.reason);
    this.stage.emit({
      do: "launch",
      replica: replica.id,
      instance: replica.instance,
      plan: replica.plan,
      saved: savedOf(replica),
    });
  }

  launched(replica: Replica, instance: number, pid: number): void {
    if (instance !== replica.instance) return;
    const { state, spec } = replica;
    replica.pid = pid;
    this.stage.touch(replica);
    if (state.at === "terminating") return this.#terminate(replica);
    if (state.at !== "launching" || !spec) return;
    const plan = probePlanOf(spec);
    this.#to(replica, {
      at: "starting",
      probing: plan && startProbing(plan, this.#nowMs),
      readyMs: this.#nowMs + (boundOf(replica, spec) ?? PROBE_MIN_MS),
      checking: false,
    }, replica.reason);
  }

  launchFailed(replica: Replica, instance: number, reason: string): void {
    if (instance !== replica.instance || !hasProcess(replica.state)) return;
    const exit: Exit = { why: "launch", wallMs: this.stage.now.wallMs, tail: reason };
    this.#ended(replica, exit, reason);
  }

  // ---- Probes -------------------------------------------------------------------------------------

  /** Sends the next probe of a process that is being probed. */
  #probe(replica: Replica, state: Extract<State, { at: "starting" | "ready" }>): void {
    const { probing } = state;
    const { plan } = replica;
    if (!probing || !plan) return;
    const probe = this.stage.nextProbe(replica);
    probing.outstanding = { probe, sentMs: this.#nowMs };
    this.stage.emit({
      do: "probe",
      replica: replica.id,
      probe,
      check: probing.plan.check,
      ...(replica.port === undefined ? {} : { port: replica.port }),
      timeoutMs: probing.plan.timeoutMs,
      plan,
    });
  }

  probed(replica: Replica, probe: string, result: ProbeResult, detail: string): void {
    const { state } = replica;
    if ((state.at !== "starting" && state.at !== "ready") || !state.probing) return;
    const { probing } = state;
    if (probing.outstanding?.probe !== probe) return;
    const slept = probing.outstanding.sentMs < this.stage.awakeMs && result !== "passed";
    const verdict = judge(probing, slept ? "unknown" : result, this.#nowMs);
    // That a program does not listen at once is no news.
    const quiet = verdict === "undecided" && result === "refused" && state.at === "starting" &&
      this.#nowMs - probing.startedMs < REFUSED_QUICK_MS;
    if (!quiet) this.#act(replica, state, verdict, result === "passed" ? undefined : detail);
  }

  /** The prober lost whatever it had under way. */
  probesLost(replica: Replica): void {
    const { state } = replica;
    if ((state.at !== "starting" && state.at !== "ready") || !state.probing?.outstanding) return;
    judge(state.probing, "unknown", this.#nowMs);
  }

  #act(
    replica: Replica,
    state: Extract<State, { at: "starting" | "ready" }>,
    verdict: Verdict,
    detail: string | undefined,
  ): void {
    switch (verdict) {
      case "first-pass":
        return this.#firstPass(replica, state);
      case "unhealthy":
        return this.#endUnhealthy(replica, detail);
      case "undecided":
        // What the last probe said is news only where it differs; a pass clears it.
        if (replica.reason === (detail && fitReason(detail))) return;
        if (state.at === "ready" && !state.listed && detail === undefined) return;
        if (state.at === "ready" || detail !== undefined) this.#to(replica, state, detail);
        return;
      default:
        return verdict satisfies never;
    }
  }

  #firstPass(replica: Replica, state: Extract<State, { at: "starting" | "ready" }>): void {
    if (state.at === "ready") return;
    const kind = state.probing?.plan.check.kind;
    // A machine's port is its hypervisor's, which is in a group of its own.
    const isMachine = replica.spec?.type === "vm";
    if (replica.port === undefined || kind === "exec" || isMachine) {
      return this.#ready(replica, state);
    }
    this.#to(replica, { ...state, checking: true }, replica.reason);
    const { id, instance, port } = replica;
    this.stage.emit({ do: "check-owner", replica: id, instance, port });
  }

  ownerKnown(
    replica: Replica,
    instance: number,
    owner: "own" | "other" | "unknown",
    detail: string,
  ): void {
    const { state } = replica;
    if (state.at !== "starting" || !state.checking || instance !== replica.instance) return;
    if (owner !== "other" || !state.probing) return this.#ready(replica, state);
    const verdict = rejectPass(state.probing, this.#nowMs);
    const reason = `port ${replica.port} is answered by ${detail}, not by this replica`;
    const next: State = { ...state, checking: false };
    this.#to(replica, next, reason);
    this.#act(replica, next, verdict, reason);
  }

  #ready(replica: Replica, state: Extract<State, { at: "starting" }>): void {
    const { around, tower, hasTower } = this.stage;
    const endpoint = endpointOf(replica, around);
    const listed = !endpoint || !hasTower;
    const { probing } = state;
    const reason = listed ? undefined : UNLISTED;
    this.#to(replica, { at: "ready", probing, sinceMs: this.#nowMs, listed }, reason);
    if (endpoint) tower.register(endpoint, this.#nowMs);
  }

  /** The tower may have said that it knows the replica. */
  maybeListed(replica: Replica): void {
    const { state } = replica;
    if (
      state.at !== "ready" || state.listed || !this.stage.tower.isListed(replica.id, this.#nowMs)
    ) return;
    const reason = replica.reason === UNLISTED ? undefined : replica.reason;
    this.#to(replica, { ...state, listed: true }, reason);
  }

  /** It goes on as it runs, by another record: how it is probed and ended from now on is there. */
  relabel(replica: Replica, label: Label, spec: AppSpec): void {
    replica.generation = label.generation;
    replica.sequence = label.sequence;
    replica.spec = spec;
    replica.next = undefined;
    this.stage.touch(replica);
    const { state } = replica;
    if (state.at === "starting" || state.at === "ready") this.#reprobe(replica, state, spec);
    const endpoint = endpointOf(replica, this.stage.around);
    if (endpoint && this.stage.tower.has(replica.id)) {
      this.stage.tower.register(endpoint, this.#nowMs);
    }
  }

  #reprobe(
    replica: Replica,
    state: Extract<State, { at: "starting" | "ready" }>,
    spec: AppSpec,
  ): void {
    const plan = replica.part ? null : probePlanOf(spec);
    if (JSON.stringify(plan) === JSON.stringify(state.probing?.plan ?? null)) return;
    const probing = plan && startProbing(plan, this.#nowMs, state.at === "ready");
    replica.state = { ...state, probing };
  }

  // ---- On the way down ----------------------------------------------------------------------------

  #leaveTower(replica: Replica): void {
    this.stage.tower.deregister(replica.id, false, Infinity, this.#nowMs);
  }

  #endUnhealthy(replica: Replica, detail = "its probes fail"): void {
    this.#leaveTower(replica);
    const graceMs = replica.spec?.graceMs ?? 0;
    this.#to(replica, { at: "ending", killMs: this.#nowMs + graceMs, check: detail }, detail);
    this.#signal(replica, replica.spec?.stopSignal ?? "SIGTERM");
  }

  /** What it uses was measured: over its memory for too long, it is ended and started again. */
  used(replica: Replica, { instance, residentBytes, limited }: Use): void {
    const { state, spec } = replica;
    if (instance !== replica.instance || limited || !spec?.ramBytes) return;
    const verdict = judgeMemory(replica.overMemory, residentBytes, spec.ramBytes);
    replica.overMemory = verdict.over;
    switch (state.at) {
      case "starting":
      case "ready":
        if (verdict.detail === undefined) return;
        return this.#endOverMemory(replica, verdict.detail, verdict.atOnce);
      case "draining":
        return verdict.detail === undefined ? undefined : this.#terminate(replica);
      case "ending":
        // It goes on growing instead of ending.
        if (state.oom !== undefined && verdict.atOnce) this.#signal(replica, "SIGKILL");
        return;
      default:
        return;
    }
  }

  #endOverMemory(replica: Replica, detail: string, atOnce: boolean): void {
    this.#leaveTower(replica);
    const reason = `out of memory: ${detail}`;
    const graceMs = atOnce ? KILL_AGAIN_MS : replica.spec?.graceMs ?? 0;
    this.#to(replica, { at: "ending", killMs: this.#nowMs + graceMs, oom: reason }, reason);
    this.#signal(replica, atOnce ? "SIGKILL" : replica.spec?.stopSignal ?? "SIGTERM");
  }

  #signal(replica: Replica, signal: string): void {
    const { id, instance } = replica;
    this.stage.emit({ do: "signal", replica: id, instance, signal });
  }

  /** Its program has ended, and its process group with it. */
  exited(replica: Replica, instance: number, ended: Ended): void {
    if (instance !== replica.instance || !hasProcess(replica.state)) return;
    const { code, signal } = ended;
    const check = replica.state.at === "ending" ? replica.state.check : undefined;
    const said = check === undefined ? "" : `${HEALTH_CHECK}${check}`;
    const tail = [ended.tail, said].filter((text) => text !== "").join("\n");
    const exit: Exit = {
      ...(code === undefined ? {} : { code }),
      ...(signal === undefined ? {} : { signal }),
      why: replica.part && replica.state.at === "ending"
        ? "timeout"
        : whyEnded(replica.state, ended),
      wallMs: this.stage.now.wallMs,
      ...(tail === "" ? {} : { tail }),
    };
    const measured = replica.state.at === "ending" ? replica.state.oom : undefined;
    this.#ended(replica, exit, measured ?? describeExit(exit));
  }

  #ended(replica: Replica, exit: Exit, reason: string): void {
    const { state } = replica;
    this.#leaveTower(replica);
    replica.pid = undefined;
    if (state.at === "draining" || state.at === "terminating") {
      return this.#finish(replica, { ...exit, why: "stopped" });
    }
    replica.exit = fitExit(exit);
    if (!replica.spec) return this.#to(replica, { at: "record", ended: exit }, reason);
    this.#decide(replica, exit, reason, state.at === "ready" ? this.#nowMs - state.sinceMs : 0);
  }

  /** It ended by itself: is it started again, and when? */
  #decide(replica: Replica, exit: Exit, reason: string, healthyMs: number): void {
    replica.exit = fitExit(exit);
    if (!shouldRestart(policyOf(replica), exit) || isLastTry(replica)) {
      return this.#finish(replica, exit, reason);
    }
    const next = nextRestart(replica.restarts, healthyMs);
    replica.restarts = next.restarts;
    replica.reason = fitReason(reason);
    if (next.waitMs === 0) return this.begin(replica);
    const waitS = next.waitMs / 1000;
    const untilMs = this.#nowMs + next.waitMs;
    this.#to(replica, { at: "backoff", untilMs }, `${reason}; starts again after ${waitS} s`);
  }

  #finish(replica: Replica, exit: Exit, reason?: string): void {
    this.#leaveTower(replica);
    this.stage.ports.release(replica.id, this.#seeker(replica));
    replica.exit = fitExit(exit);
    replica.pid = undefined;
    replica.port = undefined;
    this.#to(replica, { at: "finished" }, reason);
  }

  /**
   * Ends it for good.
   *
   * @param drain first let the ingresses send nothing new and finish what they have there
   */
  stop(replica: Replica, drain: boolean): void {
    const { state } = replica;
    if (!hasProcess(state)) {
      if (state.at === "finished") return;
      return this.#finish(replica, { why: "stopped", wallMs: this.stage.now.wallMs });
    }
    switch (state.at) {
      case "ready":
      case "adopted":
      case "starting":
        if (drain && this.#mayBeRouted(replica)) return this.#drain(replica);
        return this.#terminate(replica);
      case "launching":
        this.#to(replica, { at: "terminating", killMs: Infinity });
        // What it still waits for, its secrets say, may take longer than anybody waits for its end.
        return this.stage.emit({ do: "call-off", replica: replica.id, instance: replica.instance });
      case "ending":
        return this.#to(replica, { at: "terminating", killMs: state.killMs });
      case "draining":
        return drain ? undefined : this.#terminate(replica);
      default:
        // It is on its way out already.
    }
  }

  /**
   * Says whether an ingress may still send there: it is registered, or its removal has not been
   * confirmed (its process before this one was, and had the same port).
   */
  #mayBeRouted({ id }: Replica): boolean {
    const { hasTower, tower } = this.stage;
    return hasTower && (tower.has(id) || tower.isLeaving(id, this.#nowMs));
  }

  #drain(replica: Replica): void {
    const untilMs = this.#nowMs + (replica.spec?.drainMs ?? 5_000);
    this.stage.tower.deregister(replica.id, true, untilMs, this.#nowMs);
    this.#to(replica, { at: "draining", untilMs });
  }

  /** No ingress sends there any more. */
  drained(replica: Replica): void {
    if (replica.state.at === "draining") this.#terminate(replica);
  }

  #terminate(replica: Replica): void {
    this.#leaveTower(replica);
    const graceMs = replica.spec?.graceMs ?? 2_000;
    this.#to(replica, { at: "terminating", killMs: this.#nowMs + graceMs });
    this.#signal(replica, replica.spec?.stopSignal ?? "SIGTERM");
  }

  // ---- Time ---------------------------------------------------------------------------------------

  /** The replica's state asked to be woken now. */
  due(replica: Replica): void {
    const { state } = replica;
    switch (state.at) {
      case "artifact":
      case "blocked":
      case "backoff":
        return this.begin(replica);
      case "starting":
      case "ready":
        return this.#dueProbe(replica, state);
      case "draining":
        return this.#terminate(replica);
      case "ending":
        this.#to(replica, { ...state, killMs: this.#nowMs + KILL_AGAIN_MS }, replica.reason);
        return this.#signal(replica, "SIGKILL");
      case "terminating":
        this.#to(replica, { at: "terminating", killMs: this.#nowMs + KILL_AGAIN_MS });
        return this.#signal(replica, "SIGKILL");
      case "record":
      case "port":
      case "launching":
      case "adopted":
      case "finished":
        return;
      default:
        return state satisfies never;
    }
  }

  #dueProbe(replica: Replica, state: Extract<State, { at: "starting" | "ready" }>): void {
    if (!state.probing) {
      if (state.at === "ready") return;
      if (replica.part) this.#endUnhealthy(replica, "it takes longer than it may");
      else this.#ready(replica, state);
    } else if (state.probing.outstanding) judge(state.probing, "unknown", this.#nowMs);
    else this.#probe(replica, state);
  }
}

/** How long what runs before a generation may take, in ms; nothing else is bounded so. */
function boundOf(replica: Replica, spec: AppSpec): number | undefined {
  return replica.part && spec.before ? spec.before.timeoutMs : undefined;
}

/** What an end means that nobody ordered. */
function whyEnded(state: State, ended: Ended): Exit["why"] {
  if (ended.oom) return "oom";
  if (state.at === "ending") return state.oom === undefined ? "unhealthy" : "oom";
  if (ended.notLaunched) return "launch";
  return ended.lost ? "lost" : "exit";
}

/** A job that has succeeded is never started again. */
function policyOf({ spec }: Replica): AppSpec["restart"] {
  const policy = spec?.restart ?? "always";
  return spec?.type === "job" && policy === "always" ? "on-failure" : policy;
}

function isLastTry({ spec, restarts }: Replica): boolean {
  return spec !== null && isUsedUp(spec, restarts);
}

function selfOf(replica: Replica) {
  const { id, app, index, port } = replica;
  return { replica: id, app, index, ...(port === undefined ? {} : { port }) };
}

/** How a process ended, for people. */
export function describeExit(exit: Exit): string {
  const how = exit.signal !== undefined
    ? `ended by ${exit.signal}`
    : exit.code !== undefined
    ? `exited with code ${exit.code}`
    : "ended, nobody knows how";
  switch (exit.why) {
    case "launch":
      return `could not be started: ${exit.tail?.trim().split("\n").at(-1) ?? how}`;
    case "unhealthy":
      return `was ended as unhealthy (${how})`;
    case "oom":
      return `out of memory (${how})`;
    case "timeout":
      return `was ended after its time (${how})`;
    case "stopped":
      // Of what had not begun there is no more to say.
      return exit.code === undefined && exit.signal === undefined
        ? "stopped as told"
        : `stopped as told (${how})`;
    case "exit":
    case "lost":
      return how;
    default:
      return exit.why satisfies never;
  }
}
