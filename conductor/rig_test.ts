// A conductor's machine on a bench: a verifier that knows its keys by name, a store in memory that
// answers at once (or when told to), and nodes that do what the test says.

import { formatOperatorCommand, type OperatorCommand } from "../core/command.ts";
import { sha256Hex } from "../core/bytes.ts";
import type { Entry } from "../core/log.ts";
import {
  type Beat,
  decodeMesh,
  digestOf,
  encodeMesh,
  type MeshMessage,
  type ReplicaStatus,
} from "../core/mesh.ts";
import { createPrng } from "../core/prng.ts";
import type { EventView } from "../core/view.ts";
import { formatSigned } from "../core/wire.ts";
import type { ConductorEffect, ConductorEvent, Source } from "./effects.ts";
import { ConductorMachine, type ConductorOptions } from "./machine.ts";
import { repeatingKeys } from "./answered.ts";
import { applyEntry } from "./apply.ts";
import { emptyState, type State } from "./state.ts";

/** What stands for a signature of `key` here; as long as a real one. */
export function signatureOf(key: string, text: string): string {
  return sha256Hex(`${key}|${text}`).repeat(104).slice(0, 6618);
}

export const ALICE = "a".repeat(64);
export const MALLORY = "e".repeat(64);
export const OPERATOR = { via: "tcp", address: "127.0.0.1" } as const;
export const STRANGER = { via: "udp", address: "203.0.113.9" } as const;

export class Rig {
  monoMs = 1_000;
  wallMs = 1_800_000_000_000;
  readonly log: Entry[] = [];
  readonly replies = new Map<number, string | null>();
  readonly events: Omit<EventView, "sequence">[] = [];
  readonly sent: { readonly to: string; readonly message: MeshMessage }[] = [];
  readonly effects: ConductorEffect[] = [];
  readonly nodes = new Map<string, RigNode>();
  readonly files = new Map<string, string>();
  /** Appends fail with this for as long as it is set. */
  diskError: string | null = null;
  /** Appends and verifications wait here while held. */
  holdAppends = false;
  holdVerifies = false;
  readonly held: ConductorEffect[] = [];
  machine: ConductorMachine;
  #options: Partial<ConductorOptions>;
  #nextReply = 1;

  constructor(options: Partial<ConductorOptions> = {}) {
    this.#options = options;
    this.machine = this.#boot();
  }

  #boot(): ConductorMachine {
    const state: State = emptyState();
    for (const root of this.#options.roots ?? []) state.roster.addRoot(root);
    for (const entry of this.log) applyEntry(state, entry);
    return new ConductorMachine({
      state,
      boot: sha256Hex(`boot ${this.log.length} ${this.monoMs}`).slice(0, 16),
      prng: createPrng(7),
      plain: [],
      manifests: false,
      now: this.now,
      ...this.#options,
    });
  }

  get now() {
    return { monoMs: this.monoMs, wallMs: this.wallMs };
  }

  get unixS(): number {
    return Math.floor(this.wallMs / 1000);
  }

  /** The conductor dies and starts again from its log. */
  restart(): void {
    this.held.length = 0;
    this.machine = this.#boot();
  }

  /** Both clocks move on, with ticks as the machine asks for them. */
  advance(ms: number): void {
    const endMs = this.monoMs + ms;
    while (this.monoMs < endMs) {
      const stepMs = Math.min(
        endMs - this.monoMs,
        Math.max(1, this.machine.wakeMonoMs() - this.monoMs),
      );
      this.monoMs += stepMs;
      this.wallMs += stepMs;
      this.step({ on: "tick" });
    }
  }

  /** The same with beats of all nodes every 250 ms. */
  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 250) {
      this.advance(Math.min(250, ms - passed));
      for (const node of this.nodes.values()) node.beat();
    }
  }

  readonly #queue: ConductorEvent[] = [];
  #busy = false;

  /** One event after another, as in the live conductor: nothing happens inside a step. */
  step(event: ConductorEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const effect of this.machine.step(next, this.now)) this.perform(effect);
    }
    this.#busy = false;
  }

  perform(effect: ConductorEffect): void {
    this.effects.push(effect);
    switch (effect.do) {
      case "reply":
        this.replies.set(effect.to, effect.text);
        return;
      case "ignore":
        this.replies.set(effect.to, null);
        return;
      case "event":
        this.events.push(effect.event);
        return;
      case "send": {
        const message = decodeMesh(effect.text)!;
        this.sent.push({ to: effect.to.hostname, message });
        this.nodes.get(effect.to.hostname)?.receive(message);
        return;
      }
      case "verify":
        if (this.holdVerifies) this.held.push(effect);
        else this.verify(effect);
        return;
      case "append":
        if (this.holdAppends) this.held.push(effect);
        else this.append(effect.entry);
        return;
      case "read-manifest": {
        const text = this.files.get(effect.path);
        this.step(
          text === undefined
            ? { on: "manifest-unreadable", id: effect.id, error: "no such file" }
            : { on: "manifest-read", id: effect.id, text },
        );
        return;
      }
      case "exec":
        this.replies.set(effect.to, `OK|EXEC|${effect.app}|ran on ${effect.node.hostname}`);
        return;
      case "logs":
        this.replies.set(effect.to, `OK|LOGS|${effect.app}|0|`);
        return;
      case "snapshot":
      case "publish":
      case "lost":
      case "changed":
        return;
      default:
        effect satisfies never;
    }
  }

  /** Lets everything that was held happen, in order. */
  release(): void {
    this.holdAppends = this.holdVerifies = false;
    for (const effect of this.held.splice(0)) this.perform(effect);
  }

  verify(effect: Extract<ConductorEffect, { do: "verify" }>): void {
    const { state } = this.machine;
    const known = [...state.roster.keysAt(Infinity), ...repeatingKeys(state)].map((each) =>
      each.key
    );
    const key = [ALICE, ...known].find((each) =>
      signatureOf(each, effect.text) === effect.signatureHex
    );
    this.step({ on: "verified", id: effect.id, key: key ?? null });
  }

  append(entry: Entry): void {
    if (this.diskError !== null) return this.step({ on: "append-failed", error: this.diskError });
    this.log.push(entry);
    this.step({ on: "appended", entry });
  }

  /** A command's text as its operator signs it. */
  signed(command: OperatorCommand | string, at = this.unixS, key = ALICE): string {
    const plain = typeof command === "string" ? command : formatOperatorCommand(command);
    const text = `${plain}|${at}`;
    return formatSigned(text, signatureOf(key, text));
  }

  /** Hands in a command; its reply is in `replies` under the number that comes back. */
  send(text: string, source: Omit<Source, "reply"> = OPERATOR): number {
    const reply = this.#nextReply++;
    this.step({ on: "command", text, source: { ...source, reply } });
    return reply;
  }

  /** Hands in a command and gives its reply: `null` where it was ignored. */
  ask(text: string, source: Omit<Source, "reply"> = OPERATOR): string | null | undefined {
    return this.replies.get(this.send(text, source));
  }

  #ids = 0;

  /** Applies a manifest; without `args` of its own every generation is another program. */
  apply(
    app: string,
    text: string,
    generation: number = this.#next(app),
    fallback?: number,
  ): string | null | undefined {
    const id = `apply-${String(++this.#ids).padStart(6, "0")}`;
    const isOther = !/^ *args/m.test(text) && text.startsWith(`app ${app} {\n`);
    const manifest = isOther ? text.replace("{\n", `{\n  args ${generation}\n`) : text;
    const back = fallback === undefined ? {} : { fallback };
    return this.ask(this.signed({ verb: "APPLY", id, app, generation, ...back, manifest }));
  }

  /** Hands in a short command. */
  verb(verb: "STOP" | "START" | "RESTART" | "PAUSE" | "RESUME", app: string) {
    const id = `verb-${String(++this.#ids).padStart(6, "0")}`;
    return this.ask(this.signed({ verb, id, app }));
  }

  scale(app: string, count: string) {
    const id = `scale-${String(++this.#ids).padStart(6, "0")}`;
    return this.ask(this.signed({ verb: "SCALE", id, app, count }));
  }

  down(app: string): string | null | undefined {
    const id = `down-${String(++this.#ids).padStart(6, "0")}`;
    return this.ask(this.signed({ verb: "DOWN", id, app }));
  }

  #next(app: string): number {
    return (this.machine.state.apps.get(app)?.generations.at(-1)?.generation ?? 0) + 1;
  }

  addNode(number: number, facts: Partial<Beat> = {}): RigNode {
    const node = new RigNode(this, number, facts);
    this.nodes.set(node.host, node);
    node.beat();
    return node;
  }

  told(kind: string): string[] {
    return this.events.filter((event) => event.kind === kind).map((event) => event.text);
  }

  /** Everything placed, on which node and of which generation, as the log has it. */
  places(app: string): string[] {
    const placements = this.machine.state.apps.get(app)?.placements.values() ?? [];
    return [...placements].map(({ replica, node, leaving }) =>
      `${replica}@${this.machine.fleet.get(node)?.name ?? node}${leaving ? " leaving" : ""}`
    );
  }
}

/** A node of the bench: it keeps what it is told to run; the test moves its replicas on. */
export class RigNode {
  readonly id: string;
  readonly host: string;
  readonly statuses = new Map<string, ReplicaStatus>();
  /** Replicas it was ordered to stop: only these it ever forgets. */
  readonly stopped = new Set<string>();
  boot: string;
  /** Whether its messages get through, and whether replicas get ready and end by themselves. */
  cut = false;
  quick = true;
  refusal: string | null = null;
  /** Why it could not run what it is asked to look into; deaf: it knows no such question. */
  unable: string | null = null;
  /** The records that it was asked to look into. */
  readonly prepares: number[] = [];
  #beats = 0;
  #rig: Rig;
  #facts: Partial<Beat>;

  constructor(rig: Rig, number: number, facts: Partial<Beat>) {
    this.#rig = rig;
    this.#facts = facts;
    this.id = number.toString(16).padStart(32, "0");
    this.host = `10.0.0.${number}`;
    this.boot = number.toString(16).padStart(16, "0");
  }

  get name(): string {
    return this.#facts.name ?? `node-${this.host.split(".")[3]}`;
  }

  say(message: MeshMessage): void {
    if (this.cut) return;
    const from = { hostname: this.host, port: 7775 };
    this.#rig.step({ on: "mesh", text: encodeMesh(message), from });
  }

  beat(): void {
    this.say({
      k: "beat",
      node: this.id,
      boot: this.boot,
      bootWallMs: 1,
      beat: ++this.#beats,
      name: this.name,
      host: this.host,
      port: 7775,
      cpuPercent: 1,
      cores: 4,
      ramTotalBytes: 8 * 2 ** 30,
      ramFreeBytes: 7 * 2 ** 30,
      gpu: false,
      labels: {},
      replicas: this.statuses.size,
      digest: digestOf([...this.statuses.values()].map((each) => [each.replica, each.version])),
      sequence: 0,
      ...this.#facts,
    });
  }

  receive(message: MeshMessage): void {
    if (this.cut) return;
    const base = { node: this.id, boot: this.boot };
    if (message.k === "run") {
      if (this.refusal !== null) {
        return this.say({
          k: "run-refused",
          ...base,
          replica: message.replica,
          reason: this.refusal,
        });
      }
      const { replica, app, generation } = message;
      this.say({ k: "run-ok", ...base, replica });
      const known = this.statuses.get(replica);
      if (known && known.generation !== generation && known.state !== "finished") {
        this.report({ ...known, generation, version: known.version + 1 });
      }
      if (!known) {
        const state = this.quick ? "ready" : "starting";
        this.report({ replica, app, generation, version: 1, state, restarts: 0, sinceWallMs: 1 });
      }
    } else if (message.k === "prepare") {
      const { app, sequence } = message;
      const answer = { k: "prepared", ...base, app, sequence } as const;
      this.prepares.push(sequence);
      if (this.unable === null) this.say({ ...answer, state: "ok" });
      else if (this.unable !== "deaf") {
        this.say({ ...answer, state: "failed", reason: this.unable });
      }
    } else if (message.k === "stop") {
      this.say({ k: "stop-ok", ...base, replica: message.replica });
      this.stopped.add(message.replica);
      const status = this.statuses.get(message.replica);
      if (status?.state === "finished") this.report(status);
      if (status && status.state !== "finished" && status.state !== "stopping") {
        this.become(message.replica, this.quick ? "finished" : "stopping");
      }
    } else if (message.k === "beat-ok" && message.reportPlease !== undefined) {
      const request = message.reportPlease;
      const statuses = [...this.statuses.values()];
      this.say({ k: "report", ...base, request, page: 0, pages: 1, statuses });
    } else if (message.k === "status-ok") {
      const status = this.statuses.get(message.replica);
      const over = status?.state === "finished" && this.stopped.has(message.replica);
      if (over && status.version === message.version) {
        this.statuses.delete(message.replica);
      }
    }
  }

  /** Keeps a status and tells it. */
  report(status: ReplicaStatus): void {
    this.statuses.set(status.replica, status);
    this.say({ k: "status", node: this.id, boot: this.boot, status });
  }

  become(replica: string, state: ReplicaStatus["state"], more: Partial<ReplicaStatus> = {}): void {
    const status = this.statuses.get(replica)!;
    const exit = { why: "stopped", wallMs: 1 } as const;
    const ended = state === "finished" ? { exit } : {};
    this.report({ ...status, ...ended, ...more, state, version: status.version + 1 });
  }

  /** The daemon starts again and finds what it ran. */
  reboot(): void {
    this.boot = sha256Hex(`${this.boot} again`).slice(0, 16);
    this.#beats = 0;
    for (const [replica, status] of this.statuses) {
      this.statuses.set(replica, { ...status, version: 1 });
    }
  }

  /** It is started again under another name. */
  called(name: string): void {
    this.#facts = { ...this.#facts, name };
  }

  /** This tower does not answer it. */
  deafTo(tower: string): void {
    this.#facts = { ...this.#facts, unheard: [tower] };
  }

  /** Its clock says that this boot began later. */
  since(bootWallMs: number): void {
    this.#facts = { ...this.#facts, bootWallMs };
  }
}

/** A small service's manifest. */
export function manifestOf(app: string, lines: string[] = []): string {
  return [`app ${app} {`, "  exec /bin/service", ...lines.map((line) => `  ${line}`), "}", ""]
    .join("\n");
}
