import { genesisOf } from "../../core/chain.ts";
import { checkEntry, EMPTY_HEAD, type Entry, logNameOf, nextEntry } from "../../core/log.ts";
import type { FollowMessage, Route } from "../../core/mesh.ts";
import type { ConductorEffect, ConductorEvent } from "../../conductor/effects.ts";
import { ConductorMachine } from "../../conductor/machine.ts";
import { applyEntry, emptyState, loadState, type State } from "../../conductor/state.ts";
import { COMMANDS, CONDUCTOR, Daemon, type Ground, TOWER } from "./daemon.ts";
import { ANN, ROOT, signerOf } from "./signers.ts";
import { parseWatch } from "./watch_message.ts";
import type { Stream } from "./network.ts";
import type { TowerHost } from "./tower_host.ts";

export class ConductorHost extends Daemon {
  /** The log, on a disk that survives the daemon. */
  readonly entries: Entry[] = [];
  machine: ConductorMachine | null = null;
  /** Appends take this long; the disk can be slow. */
  diskMs = 0.3;
  diskFull = false;
  /** What it told of itself: its history for people. */
  readonly history: string[] = [];
  #snapshot: { readonly head: State["head"]; readonly text: string } | null = null;
  readonly #followers = new Map<Stream, number>();
  readonly #replies = new Map<number, (text: string) => void>();
  #nextReply = 1;
  #routes: readonly Route[] = [];
  #lost: readonly string[] = [];
  #tower: Stream | null = null;
  #wakeMs = Infinity;
  #close: (() => void)[] = [];

  constructor(ground: Ground, readonly towerHost: TowerHost) {
    super(ground, "conductor", CONDUCTOR.hostname);
  }

  protected begin(): void {
    this.machine = new ConductorMachine({
      state: this.#load(),
      boot: this.ground.prng.hex(16),
      prng: this.ground.prng,
      plain: ["10.0.0.0/8"],
      manifests: false,
      roots: [ROOT],
      now: this.now,
    });
    const { network } = this.ground;
    this.#close = [
      network.open(
        CONDUCTOR,
        (text, from) => this.enter(() => this.#step({ on: "mesh", text, from })),
      ),
      network.open(
        COMMANDS,
        (text, from) =>
          this.command(text, from.hostname, (reply) => network.send(reply, COMMANDS, from)),
      ),
    ];
    this.#wakeMs = Infinity;
    this.#connectTower();
    this.#step({ on: "tick" });
  }

  /** The newest snapshot and what the log says after it. */
  #load(): State {
    const { entries } = this;
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
    for (const close of this.#close) close();
    this.#tower?.break();
    this.#replies.clear();
    for (const stream of [...this.#followers.keys()]) stream.break();
    this.#followers.clear();
  }

  command(
    text: string,
    address: string,
    answer: (reply: string) => void,
    via: "udp" | "tcp" = "udp",
  ): void {
    this.enter(() => {
      const reply = this.#nextReply++;
      this.#replies.set(reply, answer);
      this.#step({ on: "command", text, source: { via, address, reply } });
    });
  }

  /** A node follows the log. */
  follow(stream: Stream, from: number): void {
    if (!this.up) return stream.break();
    stream.onServerLost = () => this.#followers.delete(stream);
    this.#followers.set(stream, from);
    this.enter(() => this.#feed(stream, from));
  }

  #feed(stream: Stream, from: number): void {
    const [first] = this.entries;
    if (!first) return;
    const tell = (message: FollowMessage) => stream.toClient(JSON.stringify(message));
    const log = logNameOf(first);
    tell({ k: "log", log });
    for (const { sequence, body } of this.entries.slice(from)) {
      if (body.kind !== "command") continue;
      tell({ k: "record", sequence, ...body.signed, ...(body.chain ? { chain: body.chain } : {}) });
    }
    const last = this.entries.findLast(({ body }) => body.kind === "command")?.body;
    const chain = last?.kind === "command" ? last.chain! : genesisOf(log);
    tell({ k: "head", sequence: this.entries.length, chain });
    this.#followers.set(stream, this.entries.length);
  }

  #connectTower(): void {
    const retry = () => this.later(200, () => this.#connectTower());
    const stream = this.towerHost.up ? this.ground.network.stream(this.host, TOWER.hostname) : null;
    if (!stream) return retry();
    this.#tower = stream;
    stream.onClientLost = retry;
    this.towerHost.accept(stream);
    stream.toServer(JSON.stringify({ k: "hello", role: "conductor", name: "conductor" }));
    stream.toServer(JSON.stringify({ k: "publish", routes: this.#routes }));
    if (this.#lost.length > 0) stream.toServer(JSON.stringify({ k: "lost", nodes: this.#lost }));
    stream.onClient = (text) => {
      // Most of what a tower says is not for a conductor, and costs time to read.
      if (!text.startsWith('{"k":"figures"') && !text.startsWith('{"k":"wake"')) return;
      const message = parseWatch(text);
      if (message.k === "figures") {
        const { k: _, ...figures } = message;
        this.enter(() => this.#step({ on: "figures", figures }));
      } else if (message.k === "wake") {
        this.enter(() => this.#step({ on: "wake", app: message.app }));
      }
    };
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
        this.ground.network.send(effect.text, CONDUCTOR, effect.to);
        return this.#misdirect(effect.text);
      case "verify": {
        const key = this.#keyOf(effect.text, effect.signatureHex);
        return this.later(0.2, () => this.#step({ on: "verified", id: effect.id, key }));
      }
      case "append":
        return this.#append(effect.entry);
      case "publish":
        this.#routes = effect.routes;
        this.#tower?.toServer(JSON.stringify({ k: "publish", routes: effect.routes }));
        return;
      case "lost":
        this.#lost = effect.nodes;
        this.#tower?.toServer(JSON.stringify({ k: "lost", nodes: effect.nodes }));
        return;
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
    if (this.diskFull) {
      return this.later(
        this.diskMs,
        () => this.#step({ on: "append-failed", error: "No space left on device" }),
      );
    }
    const entry = this.#plant(planned);
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
    this.ground.witness.appended(this, entry);
  }

  // ---- Planted faults -----------------------------------------------------------------------------

  #misdirect(text: string): void {
    if (this.ground.planted !== "double-run" || !text.startsWith('{"k":"run"')) return;
    const order = JSON.parse(text);
    const other = [...this.machine!.fleet.values()].find((node) => node.id !== order.node);
    if (!other?.address) return;
    const again = JSON.stringify({ ...order, node: other.id });
    this.ground.network.send(again, CONDUCTOR, other.address);
  }

  #plant(entry: Entry): Entry {
    const { body } = entry;
    const { head } = this.machine!.state;
    if (this.ground.planted === "replay" && body.kind === "decision") {
      const before = this.entries.findLast((each) => each.body.kind === "command");
      if (before) return nextEntry(head, entry.wallMs, before.body);
    }
    if (this.ground.planted === "surplus" && body.kind === "decision" && body.place.length > 0) {
      const more = body.place.flatMap((place) =>
        [1, 2, 3].map((copy) => ({ ...place, replica: `${place.replica}-again-${copy}` }))
      );
      return nextEntry(head, entry.wallMs, { ...body, place: [...body.place, ...more] });
    }
    if (this.ground.planted === "barred" && body.kind === "decision") {
      const [barred] = this.machine!.state.bars.keys();
      const place = body.place.map((each) => ({ ...each, node: barred ?? each.node }));
      if (barred) return nextEntry(head, entry.wallMs, { ...body, place });
    }
    if (body.kind === "decision" && (body.runs || body.place.some((each) => each.run))) {
      return this.#plantRun(entry, body);
    }
    if (this.ground.planted === "overscale" && body.kind === "decision" && body.scale) {
      const scale = body.scale.map((each) => ({ ...each, count: each.count * 5 }));
      return nextEntry(head, entry.wallMs, { ...body, scale });
    }
    return entry;
  }

  #plantRun(entry: Entry, body: Extract<Entry["body"], { kind: "decision" }>): Entry {
    const { head } = this.machine!.state;
    const { planted } = this.ground;
    const runs = body.runs ?? [];
    if (planted === "tick-twice") {
      const again = runs.filter(({ run }) => run.state === "waiting")
        .map(({ app, run }) => ({ app, run: { ...run, run: run.run + 1 } }));
      return nextEntry(head, entry.wallMs, { ...body, runs: [...runs, ...again] });
    }
    if (planted === "tick-lost") {
      const late = runs.map(({ app, run }) => ({
        app,
        run: { ...run, ...(run.dueWallMs ? { dueWallMs: run.dueWallMs + 60_000 } : {}) },
      }));
      return nextEntry(head, entry.wallMs, { ...body, runs: late });
    }
    if (planted === "run-twice") {
      const again = body.place.map((each) => ({ ...each, replica: `${each.replica}-again` }));
      return nextEntry(head, entry.wallMs, { ...body, place: [...body.place, ...again] });
    }
    return entry;
  }
}
