// The conductor in the world: sockets, the store, time. It decides nothing.

import { inNetworks, isLoopback, showAddress } from "../../core/address.ts";
import { commandIdOf, parseOperatorCommand, withCommandId } from "../../core/command.ts";
import { Failure } from "../../core/errors.ts";
import {
  DATAGRAM_BYTES,
  DECK_SAMPLE_MS,
  DECK_SAMPLES,
  TELEMETRY_SAMPLE_NODES,
} from "../../core/limits.ts";
import { now, randomHex, randomSeed } from "../../core/live/clock.ts";
import { createVerifier, type Verifier } from "../../core/live/crypto.ts";
import { logger } from "../../core/live/log.ts";
import { type MeshUdp, openMeshUdp } from "../../core/live/mesh_udp.ts";
import { onOnePort } from "../../core/live/one_port.ts";
import { listenFailure, openUdp, type Udp } from "../../core/live/udp.ts";
import {
  commandOf,
  type Entry,
  type Head,
  type LogStore,
  type SharedStore,
} from "../../core/log.ts";
import { createPrng } from "../../core/prng.ts";
import type { Root } from "../../core/roster.ts";
import { fitDatagram } from "../../core/wire.ts";
import type { ConductorEffect, ConductorEvent } from "../effects.ts";
import { SourceGate } from "../trust/gate.ts";
import { ConductorMachine } from "../machine.ts";
import type { StoreTarget } from "../leading/store_target.ts";
import type { Visit } from "../trust/visits.ts";
import { ArtifactDesk } from "./artifact_desk.ts";
import { AuditReader } from "./audit.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Deck } from "./deck.ts";
import { Errands } from "./errands.ts";
import { EventHistory } from "./events.ts";
import { Followers } from "./follow.ts";
import { httpHandler } from "./http.ts";
import { HeadMark } from "./mark.ts";
import { MemberDesk } from "./members.ts";
import { checkPast, KeyRing, openState, type Operators, PAST_AT_START, signerOf } from "./open.ts";
import { isShared, openStore } from "./open_store.ts";
import { byteLength, Replies, Watchers } from "./replies.ts";
import { askNode, ConductorSeal } from "./seal.ts";
import { Seat } from "./seat.ts";
import { SecretHand } from "./secrets.ts";
import type { ConductorSettings, RunningConductor } from "./settings.ts";
import { type Leads, standbyReply } from "./standby.ts";
import { StreamRelay } from "./streams.ts";
import { SyslogSender } from "./syslog.ts";
import { tellsOf } from "../telemetry/teller.ts";
import { Telemetry } from "./telemetry.ts";
import { TowerLinks } from "./towers.ts";
import type { DeployTraces } from "./trace.ts";

const log = logger("conductor");

/**
 * Starts a conductor.
 *
 * @throws {Failure} where a port is taken, or the store cannot be opened or is damaged.
 */
export async function startConductor(settings: ConductorSettings): Promise<RunningConductor> {
  await Deno.mkdir(settings.state, { recursive: true, mode: 0o700 });
  const target: StoreTarget = settings.store ??
    { kind: "sqlite", path: `${settings.state}/log.db` };
  const store = await openStore(target, settings.atRestKey ?? null, settings.storeAccess);
  const verifier = await createVerifier();
  const mark = new HeadMark(`${settings.state}/log.head`);
  const state = await openState(store, settings.operators, verifier, await mark.read());
  const identity = settings.keys?.identity ?? "";
  if (state.term) sameIdentity(state.term.identity, identity);
  const machine = new ConductorMachine({
    state,
    boot: randomHex(16),
    prng: createPrng(randomSeed()),
    plain: settings.plain,
    manifests: settings.manifests !== undefined,
    meshOpen: settings.meshOpen ?? false,
    rebalance: settings.rebalance ?? false,
    roots: rootsOf(settings.operators),
    several: isShared(store),
    self: { name: settings.name ?? "conductor", identity },
    now: now(),
  });
  const start = state.head;
  // The library for it is loaded only by those who want that.
  const traces = settings.trace ? new (await import("./trace.ts")).DeployTraces(machine) : null;
  const conductor = new Conductor(settings, store, mark, verifier, machine, traces).start();
  if (start.sequence > 0) mark.note(start);
  if (start.sequence > PAST_AT_START) void checkPastLater(store, start);
  return conductor;
}

/**
 * All conductors of a cluster hold one identity: nodes and operators know it by that.
 *
 * @throws {Failure} `other-identity`
 */
function sameIdentity(wanted: string, own: string): void {
  if (wanted === own) return;
  throw new Failure(
    "other-identity",
    `the cluster's conductors hold the identity ${wanted.slice(0, 12)}, this one ` +
      `${
        own.slice(0, 12)
      }: copy conductor.identity.json and secret.key from the --state folder of ` +
      "one of them to this one's",
  );
}

function rootsOf(operators: Operators): Root[] {
  return [...operators ?? []].map(([key, publicKey]) => ({ key, publicKey }));
}

/** A long past is checked while the conductor works already: it takes seconds. */
async function checkPastLater(store: LogStore, head: Head): Promise<void> {
  try {
    await checkPast(store, head);
  } catch (error) {
    log.fatal("{error}", { error: (error as Error).message });
  }
}

class Conductor {
  readonly #settings: ConductorSettings;
  readonly #store: LogStore;
  readonly #mark: HeadMark;
  readonly #verifier: Verifier;
  readonly #machine: ConductorMachine;
  /** `null`: started with `--insecure`. */
  readonly #keys: KeyRing | null;
  readonly #events: EventHistory;
  readonly #followers: Followers;
  readonly #secrets: SecretHand;
  readonly #audit: AuditReader;
  readonly #checkpoints: Checkpoints;
  readonly #syslog: SyslogSender[] = [];
  readonly #deck: Deck;
  readonly #traces: DeployTraces | null;
  readonly #telemetry: Telemetry | null;
  readonly #replies = new Replies();
  readonly #watchers = new Watchers();
  readonly #errands: Errands;
  readonly #ended = Promise.withResolvers<number>();
  #ignored = 0;
  #mesh!: MeshUdp;
  #commands!: Udp;
  #http!: Deno.HttpServer;
  #handler!: ReturnType<typeof httpHandler>;
  #towers!: TowerLinks;
  /** Present: one of several. */
  #seat: Seat | undefined;
  #artifacts!: ArtifactDesk;
  #members: MemberDesk | undefined;
  #seal: ConductorSeal | undefined;
  #streams: StreamRelay | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMonoMs = Infinity;
  #stopping = false;

  constructor(
    settings: ConductorSettings,
    store: LogStore,
    mark: HeadMark,
    verifier: Verifier,
    machine: ConductorMachine,
    traces: DeployTraces | null,
  ) {
    this.#traces = traces;
    this.#settings = settings;
    this.#store = store;
    this.#mark = mark;
    this.#verifier = verifier;
    this.#machine = machine;
    this.#keys = settings.operators === null ? null : new KeyRing(() => machine.state);
    this.#errands = new Errands({
      machine,
      verifier,
      keys: this.#keys,
      manifests: settings.manifests,
      replies: this.#replies,
      seal: () => this.#seal,
      step: (event) => this.#step(event),
    });
    this.#events = new EventHistory(`${settings.state}/events.db`, settings.atRestKey ?? null);
    this.#followers = new Followers(store, machine.state.log);
    this.#audit = new AuditReader({ store, events: this.#events, state: () => machine.state });
    this.#checkpoints = new Checkpoints(
      settings.state,
      () => machine.state.log,
      (checkpoint) => this.#followers.checkpoint(checkpoint),
    );
    this.#checkpoints.note(machine.state.head);
    for (const target of settings.syslog ?? []) {
      const sender = new SyslogSender(target, settings.bind);
      this.#syslog.push(sender);
      // What one of several conductors has done need be told by that one only.
      this.#audit.follow((view) => {
        if (this.#leads().leads) sender.send(view);
      });
    }
    this.#secrets = new SecretHand(
      `${settings.state}/secret.key`,
      () => machine.state,
      (node, publicKey) => this.#step({ on: "node-key", node, publicKey }),
    );
    this.#deck = new Deck({
      machine,
      events: this.#events,
      now,
      ...(settings.sso
        ? { sso: { settings: settings.sso, visit: (visit) => this.#visit(visit) } }
        : {}),
    });
    const { telemetryBytes = 0, state } = settings;
    this.#telemetry = telemetryBytes === 0 ? null : new Telemetry({
      path: `${state}/telemetry.db`,
      ...(settings.atRestKey ? { key: settings.atRestKey } : {}),
      maxBytes: telemetryBytes,
      nodes: () => machine.fleet.values(),
      sample: () => this.#deck.look(TELEMETRY_SAMPLE_NODES),
      tellsOf: (teller, app, replica) => tellsOf(machine.state, teller, app, replica),
      wallMs: () => now().wallMs,
      ask: ({ beat, address }, path, signal) => {
        const peer = address?.peer;
        const at = { hostname: beat?.host ?? "", port: beat?.port ?? 0 };
        return askNode(this.#seal, { ...at, ...(peer ? { peer } : {}) }, path, { signal });
      },
    });
  }

  start(): RunningConductor {
    const { bind: hostname, port, meshPort, tower, moreTowers = [], meshOpen } = this.#settings;
    this.#members = this.#openMembers();
    this.#deck.recall(this.#telemetry?.samples(now().wallMs - DECK_SAMPLES * DECK_SAMPLE_MS) ?? []);
    const meshSeal = meshOpen ? undefined : this.#seal;
    this.#mesh = openMeshUdp({
      hostname,
      port: meshPort,
      receive: (text, from) => this.#step({ on: "mesh", text, from }),
    }, meshSeal);
    [this.#commands, this.#http] = onOnePort(port, () => this.#listen(hostname, port));
    const towers = [tower, ...moreTowers];
    this.#towers = new TowerLinks(towers, (event) => this.#step(event), meshSeal);
    if (isShared(this.#store)) this.#seat = this.#openSeat(this.#store);
    else this.#towers.open(this.#machine.term);
    this.#handler = this.#makeHandler();
    this.#step({ on: "tick" });
    this.#seat?.begin();
    log.info("ready: commands at {host}:{port}, nodes at {mesh}, log at {sequence}, {apps} apps", {
      host: hostname,
      port: this.#commands.address.port,
      mesh: this.#mesh.address.port,
      sequence: this.#machine.state.head.sequence,
      apps: this.#machine.state.apps.size,
    });
    return {
      stop: () => this.#stop(),
      ended: this.#ended.promise,
      commands: this.#commands.address,
      mesh: this.#mesh.address,
    };
  }

  /** Binds UDP and TCP to one port; what comes is looked at once `start()` is done. */
  #listen(hostname: string, port: number): [commands: Udp, http: Deno.HttpServer] {
    const gate = new SourceGate();
    const commands = openUdp({
      hostname,
      port,
      admit: (source) => gate.allow(source, performance.now()),
      receive: (text, from) => {
        const id = commandIdOf(text);
        const limit = this.#mayGrow(from.hostname) ? DATAGRAM_BYTES : byteLength(text);
        const reply = this.#replies.expect((answer) => {
          if (answer === null) return;
          const fit = fitDatagram(answer, byteLength, id ? limit - id.length - 1 : limit);
          this.#commands.send(id ? withCommandId(fit, id) : fit, from);
        });
        const leads = this.#leads();
        if (!leads.leads && text !== "PING") {
          return this.#replies.answer(reply, standbyReply(leads));
        }
        this.#step({
          on: "command",
          text,
          source: { via: "udp", address: from.hostname, reply },
        });
      },
    });
    const at = commands.address;
    try {
      const http = Deno.serve(
        { hostname, port: at.port, onListen: () => {} },
        (request, info) => this.#handler(request, info.remoteAddr.hostname),
      );
      return [commands, http];
    } catch (error) {
      commands[Symbol.asyncDispose]();
      throw listenFailure("TCP", hostname, at.port, error);
    }
  }

  #openSeat(store: SharedStore): Seat {
    return new Seat({
      store,
      boot: this.#machine.boot,
      at: this.#at(),
      name: this.#settings.name ?? "conductor",
      sequence: () => this.#machine.state.head.sequence,
      step: (event) => this.#step(event),
      take: (entry) => this.#take("followed", entry),
      changed: (leads) => {
        // The towers are told by who leads, in its term.
        if (leads) this.#towers.open(this.#machine.term);
        else this.#towers[Symbol.dispose]();
      },
    });
  }

  /** Where the others of several, and their operators, reach this one. */
  #at(): string {
    return this.#settings.advertise ?? showAddress(this.#commands.address);
  }

  #leads(): Leads {
    const term = this.#machine.state.term?.term ?? 0;
    if (!this.#seat) return { leads: true, term, leader: null };
    return { leads: this.#machine.leads(now()), term, leader: this.#seat.leader?.at ?? null };
  }

  #openMembers(): MemberDesk | undefined {
    const { keys } = this.#settings;
    if (!keys) return undefined;
    const desk = new MemberDesk({
      keys,
      machine: this.#machine,
      verifier: this.#verifier,
      signerOf: (text, signature) => signerOf(this.#keys, this.#verifier, text, signature),
      join: (join) =>
        new Promise((resolve) => {
          this.#step({ on: "join", join, reply: this.#replies.expect(resolve) });
        }),
      changed: (forgotten) => queueMicrotask(() => this.#seal?.changed(forgotten)),
    });
    this.#seal = new ConductorSeal(desk, () => this.#machine.state.members);
    return desk;
  }

  #makeHandler(): ReturnType<typeof httpHandler> {
    const command = (text: string, address: string) =>
      new Promise<string | null>((resolve) => {
        const reply = this.#replies.expect(resolve);
        const source = { via: "tcp", address, reply } as const;
        this.#step({ on: "command", text: text.trimEnd(), source });
      });
    const streams = new StreamRelay({ machine: this.#machine, seal: () => this.#seal, command });
    this.#streams = streams;
    const at = this.#seat === undefined ? {} : { at: this.#at() };
    this.#artifacts = new ArtifactDesk({
      folder: `${this.#settings.state}/artifacts`,
      machine: this.#machine,
      seal: () => this.#seal,
      leads: () => this.#leads(),
      ...at,
    });
    return httpHandler({
      machine: this.#machine,
      events: this.#events,
      telemetry: this.#telemetry,
      deck: this.#deck,
      followers: this.#followers,
      secrets: this.#secrets,
      audit: this.#audit,
      store: this.#store,
      artifacts: this.#artifacts,
      plain: this.#settings.plain,
      ...(this.#members ? { members: this.#members } : {}),
      ...(this.#seal ? { seal: this.#seal } : {}),
      now,
      metrics: () => this.#metrics(),
      leads: () => this.#leads(),
      watch: (app, changed) => this.#watchers.watch(app, changed),
      command,
      streams,
    });
  }

  /** A datagram's source may be forged: to a stranger no reply is larger than its request. */
  #mayGrow(hostname: string): boolean {
    return isLoopback(hostname) || inNetworks(hostname, this.#settings.plain);
  }

  async #metrics(): Promise<string> {
    // prom-client costs 10 MB, which only those pay who ask for metrics.
    const { conductorMetrics } = await import("./metrics.ts");
    const sockets = { mesh: this.#mesh.counters, commands: this.#commands.counters };
    return conductorMetrics({
      machine: this.#machine,
      now: now(),
      sockets,
      ignored: this.#ignored,
      ...(this.#mesh.machine ? { seal: this.#mesh.machine } : {}),
      streams: this.#streams?.open ?? 0,
    });
  }

  /** Has a sign-in written down; resolves to why that failed, or `null`. */
  async #visit(visit: Visit): Promise<string | null> {
    const reply = await new Promise<string | null>((resolve) => {
      this.#step({ on: "visit", visit, reply: this.#replies.expect(resolve) });
    });
    return reply === "OK|VISIT" ? null : reply?.split("|").slice(2).join("|") ?? "no answer";
  }

  #step(event: ConductorEvent): void {
    if (this.#stopping) return;
    for (const effect of this.#machine.step(event, now())) this.#perform(effect);
    this.#arm();
  }

  /** Sees to it that the machine gets its next tick in time. */
  #arm(): void {
    const wakeMonoMs = this.#machine.wakeMonoMs();
    if (wakeMonoMs >= this.#timerMonoMs) return;
    clearTimeout(this.#timer);
    this.#timerMonoMs = wakeMonoMs;
    this.#timer = setTimeout(() => {
      this.#timerMonoMs = Infinity;
      this.#step({ on: "tick" });
    }, Math.max(1, wakeMonoMs - now().monoMs));
  }

  #perform(effect: ConductorEffect): void {
    switch (effect.do) {
      case "reply":
        return this.#replies.answer(effect.to, effect.text);
      case "ignore":
        this.#ignored++;
        return this.#replies.answer(effect.to, null);
      case "send":
        return this.#mesh.send(effect.text, effect.to);
      case "verify":
        return void this.#errands.verify(effect);
      case "read-manifest":
        return void this.#errands.readManifest(effect);
      case "append":
        return void this.#append(effect);
      case "snapshot":
        return void this.#store.saveSnapshot(this.#machine.state.head, effect.state).catch((
          error,
        ) => log.warn("no snapshot was kept: {error}", { error: String(error) }));
      case "logs":
        return void this.#errands.logs(effect);
      case "exec":
        return void this.#errands.exec(effect);
      case "event":
        log.info("{text}", { text: effect.event.text });
        return this.#events.add(effect.event);
      case "publish":
        return this.#towers.publish(effect.routes);
      case "lost":
        return this.#towers.lost(effect.nodes);
      case "changed":
        this.#watchers.changed(effect.apps);
        this.#traces?.changed(effect.apps, now());
        return this.#deck.changed();
      default:
        effect satisfies never;
    }
  }

  async #append({ entry }: Extract<ConductorEffect, { do: "append" }>): Promise<void> {
    const epoch = this.#seat?.epoch;
    try {
      await this.#store.append(entry);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#appendFailed(error, epoch === this.#seat?.epoch);
      return;
    }
    // Meanwhile another may lead: then it is an entry like those of others.
    this.#take(epoch === this.#seat?.epoch ? "appended" : "followed", entry);
  }

  /** @param leads whether this conductor has led all the time since the entry was made */
  #appendFailed({ code, message }: Failure, leads: boolean): void {
    const isOther = code === "store-conflict" || code === "store-unsure";
    if (isOther && this.#seat) {
      if (leads) this.#seat.unfit(message);
    } else if (code === "store-conflict") {
      log.fatal("{error}", { error: message });
      this.#ended.resolve(1);
    } else if (leads) this.#step({ on: "append-failed", error: message });
  }

  /** An entry is durable: it changes the state, and all that shows the log. */
  #take(on: "appended" | "followed", entry: Entry): void {
    if (this.#stopping || entry.sequence !== this.#machine.state.head.sequence + 1) return;
    if (!this.#isOurs(entry)) return;
    this.#admitViewer(entry);
    this.#members?.note(entry);
    this.#traces?.appended(entry);
    this.#step({ on, entry });
    this.#followers.push(entry);
    this.#audit.push(entry);
    this.#checkpoints.note({ sequence: entry.sequence, hash: entry.hash });
    this.#mark.note({ sequence: entry.sequence, hash: entry.hash });
  }

  /** Whoever leads holds the same identity as this one, or they are no conductors of one cluster. */
  #isOurs({ body }: Entry): boolean {
    if (body.kind !== "term") return true;
    try {
      sameIdentity(body.identity, this.#settings.keys?.identity ?? "");
      return true;
    } catch (error) {
      log.fatal("{error}", { error: (error as Error).message });
      this.#ended.resolve(1);
      return false;
    }
  }

  /** An operator signed for a look at the deck: the link may be used from here on. */
  #admitViewer({ body }: Entry): void {
    if (body.kind !== "command") return;
    const command = parseOperatorCommand(commandOf(body.signed));
    if (!("verb" in command) || command.verb !== "DECK") return;
    this.#deck.access.admit(command.hash, body.signed.key, now().monoMs);
  }

  async #stop(): Promise<void> {
    // Given back while that can be said: the others need not wait for the lease to end.
    await this.#seat?.stop();
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#towers[Symbol.dispose]();
    this.#artifacts[Symbol.dispose]();
    this.#checkpoints[Symbol.dispose]();
    this.#telemetry?.[Symbol.dispose]();
    this.#traces?.[Symbol.dispose]();
    this.#deck[Symbol.dispose]();
    const quiet = this.#http.shutdown();
    // Streams do not end by themselves; nobody is kept waiting for them.
    await Promise.race([quiet, new Promise((resolve) => setTimeout(resolve, 300))]);
    await this.#mesh[Symbol.asyncDispose]();
    await this.#commands[Symbol.asyncDispose]();
    await Promise.all(this.#syslog.map((sender) => sender[Symbol.asyncDispose]()));
    this.#events.close();
    await this.#mark.flush();
    await this.#store.close();
  }
}
