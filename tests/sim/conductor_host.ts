import { showAddress } from "../../core/address.ts";
import { genesisOf } from "../../core/chain.ts";
import { CONDUCTOR_DIAL } from "../../core/dial.ts";
import { checkEntry, EMPTY_HEAD, type Entry, logNameOf } from "../../core/log.ts";
import type { FollowMessage, WatcherMessage } from "../../core/mesh.ts";
import type { ConductorEffect, ConductorEvent } from "../../conductor/effects.ts";
import { standbyReply } from "../../conductor/live/standby.ts";
import { ConductorMachine } from "../../conductor/machine.ts";
import { heardOfTower, TowerWord } from "../../conductor/fleet/tower_word.ts";
import { applyEntry } from "../../conductor/apply.ts";
import { loadState } from "../../conductor/snapshot.ts";
import { emptyState, type State } from "../../conductor/state.ts";
import { type Supplier } from "./cargo.ts";
import { ConductorCargo } from "./conductor_cargo.ts";
import { commandsOf, Daemon, type Ground, meshOf } from "./daemon.ts";
import { Seat } from "./seat.ts";
import type { SharedLog } from "./shared_log.ts";
import { ANN, ROOT, signerOf } from "./signers.ts";
import { plantIn } from "./planted_entries.ts";
import type { Stream } from "./network.ts";
import type { TowerHost } from "./tower_host.ts";
import { TowerStream } from "./tower_stream.ts";

export class ConductorHost extends Daemon implements Supplier {
  /** The log, on a disk that survives the daemon, or in the store that several share. */
  readonly entries: Entry[];
  machine: ConductorMachine | null = null;
  /** Appends take this long; the disk can be slow. */
  diskMs = 0.3;
  diskFull = false;
  /** What it told of itself: its history for people. */
  readonly history: string[] = [];
  readonly cargo = new ConductorCargo(this, () => this.#seat?.leader ?? null);
  #snapshot: { readonly head: State["head"]; readonly text: string } | null = null;
  readonly #followers = new Map<Stream, number>();
  readonly #replies = new Map<number, (text: string) => void>();
  #nextReply = 1;
  #seat: Seat | null = null;
  /** It is frozen when it has made up its next order, which goes out when it wakes. */
  #frozenAtOrder = false;
  readonly #word = new TowerWord();
  #links: TowerStream[] = [];
  #wakeMs = Infinity;
  #close: (() => void)[] = [];

  /** @param shared present: it is one of several */
  constructor(
    ground: Ground,
    readonly towers: readonly TowerHost[],
    readonly index = 1,
    readonly shared: SharedLog | null = null,
  ) {
    super(ground, index === 1 ? "conductor" : `conductor-${index}`, meshOf(index).hostname);
    this.entries = shared?.entries ?? [];
    ground.suppliers.set(this.host, this);
  }

  /** It decides and orders now. */
  get leads(): boolean {
    return this.machine?.leads(this.now) ?? false;
  }

  protected begin(): void {
    if (this.shared) this.#beginAsOne(this.shared);
    else this.#begin(this.entries);
  }

  /** The log is read before anything else is done; a daemon that cannot is started again. */
  #beginAsOne(store: SharedLog): void {
    const start = this.startedMs;
    store.read(this.host, 0, (got) => {
      if (!this.up || this.startedMs !== start) return;
      this.enter(() => {
        if (got.is === "ok") this.#begin(got.value);
        else this.later(500, () => this.#beginAsOne(store));
      });
    });
  }

  #begin(entries: readonly Entry[]): void {
    const { shared } = this;
    this.machine = new ConductorMachine({
      state: this.#load(entries),
      boot: this.ground.prng.hex(16),
      prng: this.ground.prng,
      plain: ["10.0.0.0/8"],
      manifests: false,
      roots: [ROOT],
      several: shared !== null,
      self: { name: this.name, identity: "1".repeat(64) },
      now: this.now,
    });
    this.cargo.begin();
    const { network } = this.ground;
    const commands = commandsOf(this.index);
    this.#close = [
      network.open(
        meshOf(this.index),
        (text, from) => this.enter(() => this.#step({ on: "mesh", text, from })),
      ),
      network.open(
        commands,
        (text, from) =>
          this.command(text, from.hostname, (reply) => network.send(reply, commands, from)),
      ),
    ];
    this.#wakeMs = Infinity;
    if (!shared) this.#openTowers(0);
    this.#step({ on: "tick" });
    if (shared) this.#openSeat(shared, this.machine);
  }

  #openSeat(store: SharedLog, machine: ConductorMachine): void {
    const isThere = () => this.machine === machine;
    const seat = this.#seat = new Seat({
      store,
      host: this.host,
      boot: machine.boot,
      nowMs: () => this.now.monoMs,
      sequence: () => machine.state.head.sequence,
      step: (event) => this.#step(event),
      take: (entry) => this.#take("followed", entry),
      changed: (leads) => this.#changed(leads, machine.term),
      later: (delayMs, run) => this.later(delayMs, run),
      enter: (run) => isThere() && this.enter(() => isThere() && run()),
    });
    this.#close.push(store.watch(this.host, () => this.enter(() => seat.grown())));
    seat.begin();
  }

  /** The towers are told by who leads, in its term. */
  #changed(leads: boolean, term: number): void {
    this.#closeTowers();
    if (!leads) return;
    this.ground.witness.led(this, term);
    this.#openTowers(term);
  }

  /** The newest snapshot and what the log says after it. */
  #load(entries: readonly Entry[]): State {
    let head = EMPTY_HEAD;
    for (const entry of entries) {
      const wrong = checkEntry(head, entry);
      if (wrong) throw new Error(`the log is damaged: ${wrong}`);
      head = entry;
    }
    const kept = this.#snapshot && loadState(this.#snapshot.head, this.#snapshot.text);
    const state = kept ?? emptyState();
    state.roster.addRoot(ROOT);
    for (const entry of entries.slice(state.head.sequence)) applyEntry(state, entry);
    return state;
  }

  protected end(): void {
    this.machine = null;
    this.#seat = null;
    this.#frozenAtOrder = false;
    for (const close of this.#close.splice(0)) close();
    this.#closeTowers();
    this.#replies.clear();
    for (const stream of [...this.#followers.keys()]) stream.break();
    this.#followers.clear();
    this.ground.network.hangUp(this.host);
  }

  supply(stream: Stream, sha256: string, offset: number): void {
    this.cargo.supply(stream, sha256, offset);
  }

  command(
    text: string,
    address: string,
    answer: (reply: string) => void,
    via: "udp" | "tcp" = "udp",
  ): void {
    this.enter(() => {
      if (!this.machine) return;
      if (this.shared && !this.leads) {
        return answer(standbyReply({ leads: false, term: 0, leader: this.#seat?.leader ?? null }));
      }
      const reply = this.#nextReply++;
      this.#replies.set(reply, answer);
      this.#step({ on: "command", text, source: { via, address, reply } });
    });
  }

  /** A node follows the log. */
  follow(stream: Stream, from: number): void {
    const isBlind = this.shared && this.ground.network.isCut(this.host, this.shared.host);
    if (!this.machine || isBlind) return stream.break();
    stream.onServerLost = () => this.#followers.delete(stream);
    this.#followers.set(stream, from);
    this.enter(() => this.#feed(stream, from));
  }

  #feed(stream: Stream, from: number): void {
    // What a node has already is read in the store; new to it is what this conductor knows.
    const end = Math.max(from, this.machine!.state.head.sequence);
    const entries = this.entries.slice(0, end);
    const [first] = entries;
    if (!first) return;
    const tell = (message: FollowMessage) => stream.toClient(JSON.stringify(message));
    const log = logNameOf(first);
    tell({ k: "log", log });
    for (const { sequence, body } of entries.slice(from)) {
      if (body.kind !== "command") continue;
      tell({ k: "record", sequence, ...body.signed, ...(body.chain ? { chain: body.chain } : {}) });
    }
    const last = entries.findLast(({ body }) => body.kind === "command")?.body;
    const chain = last?.kind === "command" ? last.chain! : genesisOf(log);
    tell({ k: "head", sequence: entries.length, chain });
    this.#followers.set(stream, entries.length);
  }

  #openTowers(term: number): void {
    this.#word.begin(term);
    this.#links = this.towers.map((tower) => {
      const link: TowerStream = new TowerStream(
        {
          host: this.host,
          network: this.ground.network,
          prng: this.ground.prng,
          nowMs: () => this.now.monoMs,
          enter: (run) => this.enter(run),
          later: (delayMs, run) => this.later(delayMs, run),
          connected: () => {
            this.#tower(tower, null);
            for (const message of this.#word.greeting()) link.send(message);
          },
          lost: (_, __, sinceMs) => this.#tower(tower, sinceMs),
          heard: (text) => {
            const event = heardOfTower(text);
            if (event) this.#step(event);
          },
        },
        [tower],
        this.ground.planted === "trusting"
          ? { ...CONDUCTOR_DIAL, asks: false, silentMs: Infinity }
          : CONDUCTOR_DIAL,
      );
      return link;
    });
    for (const link of this.#links) link.start();
  }

  /** It is told of when that changes. */
  #tower({ address }: TowerHost, sinceMonoMs: number | null): void {
    const at = showAddress(address);
    const known = this.machine?.towers.get(at);
    if (known !== undefined && (known === null) === (sinceMonoMs === null)) return;
    this.#step(
      sinceMonoMs === null
        ? { on: "tower", at, heard: true }
        : { on: "tower", at, heard: false, sinceMonoMs },
    );
  }

  #closeTowers(): void {
    for (const link of this.#links.splice(0)) link.close();
  }

  #tellTowers(message: WatcherMessage): void {
    for (const link of this.#links) link.send(message);
  }

  /** It is stopped by SIGSTOP when it has made up an order, and says it when it wakes. */
  freezeAtOrder(): void {
    this.#frozenAtOrder = this.up;
  }

  /** SIGTERM: it gives its lease back and ends. */
  stop(): void {
    this.enter(() => {
      const seat = this.#seat;
      if (!seat) return this.kill();
      if (seat.leads) this.ground.witness.gaveBack(this.machine!.term);
      seat.stop(() => this.kill());
    });
  }

  override resume(): void {
    this.#frozenAtOrder = false;
    super.resume();
  }

  #send({ text, to }: Extract<ConductorEffect, { do: "send" }>): void {
    if (this.#frozenAtOrder && /^\{"k":"(?:run|stop)"/.test(text)) {
      this.#frozenAtOrder = false;
      this.ground.witness.tell(`${this.name} is frozen in the middle of an order`);
      this.pause();
    }
    this.enter(() => this.ground.network.send(text, meshOf(this.index), to));
  }

  #step(event: ConductorEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
    const wakeMs = this.machine?.wakeMonoMs() ?? Infinity;
    if (wakeMs < this.#wakeMs) {
      this.#wakeMs = wakeMs;
      this.later(Math.max(1, wakeMs - this.now.monoMs), () => {
        // An earlier one was asked for meanwhile.
        if (this.#wakeMs !== wakeMs) return;
        this.#wakeMs = Infinity;
        this.#step({ on: "tick" });
      });
    }
  }

  #perform(effect: ConductorEffect): void {
    switch (effect.do) {
      case "reply":
        this.#replies.get(effect.to)?.(effect.text);
        this.#replies.delete(effect.to);
        return;
      case "ignore":
        this.#replies.delete(effect.to);
        return;
      case "send":
        this.#send(effect);
        return this.#misdirect(effect.text);
      case "verify": {
        const key = this.#keyOf(effect.text, effect.signatureHex);
        return this.later(0.2, () => this.#step({ on: "verified", id: effect.id, key }));
      }
      case "append":
        return this.#append(effect.entry);
      case "publish":
        return this.#tellTowers(this.#word.publish(effect.routes));
      case "lost":
        return this.#tellTowers(this.#word.lost(effect.nodes));
      case "event":
        this.history.push(effect.event.text);
        return this.ground.witness.tell(effect.event.text);
      case "snapshot":
        this.#snapshot = { head: this.machine!.state.head, text: effect.state };
        return;
      case "changed":
      case "logs":
      case "exec":
      case "read-manifest":
        return;
      default:
        effect satisfies never;
    }
  }

  /** The known key that made this signature, or the one that it is replaced by. */
  #keyOf(text: string, signatureHex: string): string | null {
    const signer = signerOf(text, signatureHex);
    if (signer === ANN && this.ground.planted === "no-roles") return ROOT.key;
    const known = this.machine!.state.roster.keysAt(Infinity);
    return known.find(({ key }) => key === signer?.key)?.key ?? null;
  }

  #append(planned: Entry): void {
    if (this.shared) return this.#appendShared(this.shared, planned);
    if (this.diskFull) {
      return this.later(
        this.diskMs,
        () => this.#step({ on: "append-failed", error: "No space left on device" }),
      );
    }
    const { planted } = this.ground;
    const entry = planted ? plantIn(planned, planted, this.machine!.state, this.entries) : planned;
    // The disk has it or not at the moment of a crash: the write happens somewhere in between.
    const writtenMs = this.ground.prng.next() * this.diskMs;
    const isKept = !(this.ground.planted === "lost-entry" && entry.sequence % 5 === 0);
    this.later(writtenMs, () => {
      if (isKept) this.#keep(entry);
    });
    this.later(this.diskMs, () => {
      this.#step({ on: "appended", entry });
      for (const [stream, from] of [...this.#followers]) this.#feed(stream, from);
    });
  }

  #keep(entry: Entry): void {
    this.entries.push(entry);
    this.ground.witness.appended(entry);
  }

  #appendShared(store: SharedLog, entry: Entry): void {
    const { machine } = this;
    const seat = this.#seat!;
    const { epoch } = seat;
    store.append(this.host, entry, (got) => {
      if (this.machine !== machine) return;
      this.enter(() => {
        const leads = epoch === seat.epoch;
        if (got.is === "ok" && got.value) this.#take(leads ? "appended" : "followed", entry);
        else if (!leads) return;
        else if (got.is === "failed") this.#step({ on: "append-failed", error: "no answer" });
        else seat.unfit("the log has gone on, or nobody can say whether it has");
      });
    });
  }

  /** An entry is durable. */
  #take(on: "appended" | "followed", entry: Entry): void {
    if (entry.sequence !== (this.machine?.state.head.sequence ?? NaN) + 1) return;
    this.#step({ on, entry });
    for (const [stream, from] of [...this.#followers]) this.#feed(stream, from);
  }

  // ---- Planted faults -----------------------------------------------------------------------------

  #misdirect(text: string): void {
    if (this.ground.planted !== "double-run" || !text.startsWith('{"k":"run"')) return;
    const order = JSON.parse(text);
    const other = [...this.machine!.fleet.values()].find((node) => node.id !== order.node);
    if (!other?.address) return;
    const again = JSON.stringify({ ...order, node: other.id });
    this.ground.network.send(again, meshOf(this.index), other.address);
  }
}
