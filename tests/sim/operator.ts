// The operator of the virtual world: signs, sends over a network that loses, retries, goes by TCP
// where datagrams do not come through, and gives up after 10 s, as the CLI does.

import { formatOperatorCommand, type OperatorCommand } from "../../core/command.ts";
import { lastGoodOf } from "../../conductor/rollouts/rollout_state.ts";
import { formatSigned } from "../../core/wire.ts";
import { cargoOf } from "./cargo.ts";
import type { ConductorHost } from "./conductor_host.ts";
import { commandsOf, type Ground, instant, OPERATOR } from "./daemon.ts";
import { bringsCargo, manifestOf } from "./manifests.ts";
import type { Behaviour } from "./process.ts";
import { ship } from "./shipping.ts";
import { ANN, fakeSignature, ROOT, type Signer } from "./signers.ts";

/** After this the CLI says that the conductor does not answer. */
export const GIVE_UP_MS = 10_000;
const TCP_AFTER_MS = 200;
/** So many datagrams without an answer, and another conductor is asked. */
const PATIENCE = 4;

/** One generation as it was applied. */
interface Applied {
  readonly replicas: number;
  readonly behaviour: Behaviour;
  readonly fallback: number | undefined;
  readonly cargo: number | undefined;
}

/** What the operator wants of one app, as far as it has been acknowledged. */
export interface Wish {
  readonly app: string;
  /** Its replicas may only ever run on one node. */
  readonly volume: boolean;
  generation: number;
  readonly applied: Map<number, Applied>;
  /** Set by SCALE; until the manifest says another number itself. */
  count: number | undefined;
  down: boolean;
  stopped: boolean;
  /** When it last changed, and when it was last there anew after it had been down or stopped. */
  changedMs: number;
  upMs: number;
}

/** How many replicas of this generation are wanted. */
export function wantedOf(wish: Wish, generation: number): number {
  if (wish.down || wish.stopped) return 0;
  return wish.count ?? wish.applied.get(generation)?.replicas ?? 0;
}

/** Commands that name an app and no more. */
export type Verb = "STOP" | "START" | "RESTART" | "PAUSE" | "RESUME" | "DOWN" | "RUN";

/** Commands that name a node and no more. */
export type NodeVerb = "CORDON" | "DRAIN" | "UNCORDON";

/** A command and what became of it. */
export interface Said {
  readonly id: string;
  readonly verb: string;
  /** What it is about. */
  readonly app: string;
  readonly sentMs: number;
  /** Whether the conductor knew the key that signed it when it was sent. */
  readonly fromKnown: boolean;
  /** `null` while it waits; `unknown`: given up, executed or not. */
  reply: string | "unknown" | null;
  readonly done: () => void;
  /** Goes on by the answer, in place of what waits. */
  readonly told?: (reply: string, id: string) => void;
  isDone: boolean;
}

/**
 * Refused for good: no copy of it may be executed, whoever sends it. What failed for the disk alone
 * may be, once, since a conductor that was started again does not remember that; so may what came
 * before its key was known, which nobody could verify, as long as its time allows.
 */
export function isFinal({ reply, fromKnown }: Said): boolean {
  return fromKnown && reply !== null && reply.startsWith("ERR|") &&
    !reply.startsWith("ERR|STORE|");
}

export class Operator {
  readonly wishes = new Map<string, Wish>();
  /** Node -> what keeps replicas off it. */
  readonly bars = new Map<string, "CORDON" | "DRAIN">();
  /** Node -> when nothing kept them off it any more. */
  readonly unbarredMs = new Map<string, number>();
  readonly said: Said[] = [];
  /** Signed datagrams as anybody on the way may have kept them. */
  readonly overheard: string[] = [];
  skewMs = 0;
  readonly #ground: Ground;
  readonly #conductors: readonly ConductorHost[];
  /** The one that is asked. */
  #at: ConductorHost;
  readonly #queue: (() => void)[] = [];
  #waiting: Said | null = null;
  /** An artifact is on its way to the conductor. */
  #ships = false;
  #ports = 0;

  constructor(ground: Ground, conductors: readonly ConductorHost[]) {
    this.#ground = ground;
    this.#conductors = conductors;
    this.#at = conductors[0]!;
  }

  /** Whoever leads is asked how things are; where nobody does, who was asked last. */
  get #conductor(): ConductorHost {
    return this.#conductors.find((each) => each.leads) ?? this.#at;
  }

  /** True when everything that was asked has been answered. */
  get idle(): boolean {
    return this.#waiting === null && !this.#ships && this.#queue.length === 0;
  }

  /** @param cargo which content it brings along, where it brings one */
  up(
    app: string,
    replicas: number,
    volume: boolean,
    behaviour: Behaviour = "good",
    cargo?: number,
  ): void {
    const brought = bringsCargo(app) ? cargo ?? 1 : undefined;
    if (brought !== undefined) {
      this.#ship(brought, () => this.#apply(app, replicas, volume, behaviour, brought));
    } else this.#enqueue(() => this.#apply(app, replicas, volume, behaviour));
  }

  /** Sends what is missing of a content, and goes on only where that is done. */
  #ship(cargo: number, goOn: () => void): void {
    this.#enqueue(() => {
      const { sha256, bytes } = cargoOf(cargo);
      this.#ships = true;
      ship({
        ground: this.#ground,
        cargo: cargoOf(cargo),
        leader: () => this.#conductors.find((each) => each.leads) ?? null,
        announce: (told) => {
          this.#send({ verb: "UPLOAD", sha256, bytes: `${bytes}` }, () => {}, ROOT, told);
        },
        done: (why) => {
          this.#ships = false;
          if (why === null) return goOn();
          this.#ground.witness.tell(`operator: cargo ${cargo} is not shipped: ${why}`);
          this.#queue.shift()?.();
        },
      });
    });
  }

  #apply(
    app: string,
    replicas: number,
    volume: boolean,
    behaviour: Behaviour,
    cargo?: number,
  ): void {
    const wish = this.wishes.get(app) ?? freshWish(app, volume);
    const known = this.#conductor.machine?.state.apps.get(app);
    const generation = (known?.generations.at(-1)?.generation ?? wish.generation) + 1;
    const isUp = known && !known.down && !known.stopped;
    const fallback = isUp ? lastGoodOf(known) : undefined;
    const manifest = manifestOf({
      app,
      volume: wish.volume,
      replicas,
      generation,
      behaviour,
      ...(cargo === undefined ? {} : { cargo }),
    });
    const back = fallback === undefined ? {} : { fallback };
    this.#send({ verb: "APPLY", app, generation, ...back, manifest }, () => {
      this.wishes.set(app, wish);
      const before = wish.applied.get(generation - 1)?.replicas;
      if (wish.down || wish.count === 0 || before !== replicas) wish.count = undefined;
      wish.applied.set(generation, { replicas, behaviour, fallback, cargo });
      wish.generation = generation;
      this.#changed(wish, { down: false, stopped: false });
    });
  }

  verb(verb: Verb, app: string, signer: Signer = ROOT): void {
    this.#enqueue(() => {
      const done = () => {
        const wish = this.wishes.get(app);
        if (!wish) return;
        if (verb === "DOWN") this.#changed(wish, { down: true });
        else if (verb === "STOP") this.#changed(wish, { stopped: true });
        else if (verb === "START") this.#changed(wish, { stopped: false });
        else this.#changed(wish, {});
      };
      this.#send({ verb, app }, done, signer);
    });
  }

  /** Ann becomes an operator, and may work on `web`, or may not any more. */
  grant(may: boolean): void {
    const { name, publicText: publicKey } = ANN;
    const where = { namespaces: "*", apps: "web", until: "-" };
    this.#enqueue(() => {
      const roster = this.#conductor.machine?.state.roster;
      const grants = roster?.grantsAt(Infinity, name) ?? [];
      const isThere = roster?.keysAt(Infinity).some(({ key }) => key === ANN.key);
      const grant = grants.find(({ role }) => role === "deployer");
      if (!isThere) {
        this.#send({ verb: "OPERATOR", name, role: "viewer", publicKey, ...where }, () => {});
      } else if (may) this.#send({ verb: "GRANT", name, role: "deployer", ...where }, () => {});
      else this.#send({ verb: "UNGRANT", name, grant: `${grant?.from ?? 0}` }, () => {});
    });
  }

  scale(app: string, count: number): void {
    this.#enqueue(() => {
      this.#send({ verb: "SCALE", app, count: `${count}` }, () => {
        const wish = this.wishes.get(app);
        if (!wish) return;
        wish.count = count;
        this.#changed(wish, {});
      });
    });
  }

  node(verb: NodeVerb, node: string): void {
    this.#enqueue(() => {
      this.#send({ verb, node }, () => {
        if (verb !== "UNCORDON") return void this.bars.set(node, verb);
        this.bars.delete(node);
        this.unbarredMs.set(node, this.#ground.timeline.nowMs);
      });
    });
  }

  /**
   * Commands that were given up, or that the disk did not take: the log tells whether they were
   * executed, and in which order. What was executed last counts.
   */
  settle(): void {
    // One that was refused counts, too: it may have been executed, its answer lost, and its repeat
    // have come to a conductor that was started again with its clock set wrong.
    const unknown = this.said.filter((each) => !each.isDone && each.reply !== null);
    if (unknown.length === 0) return;
    const order = this.#conductor.entries.flatMap(({ body }) => {
      if (body.kind !== "command") return [];
      const said = this.said.find((each) => body.signed.text.includes(`|${each.id}|`));
      return said ? [said] : [];
    });
    for (const each of unknown) {
      if (!order.includes(each)) continue;
      this.#done(each);
      for (const later of order.slice(order.indexOf(each) + 1)) {
        if (later.app === each.app) this.#done(later);
      }
    }
  }

  #changed(wish: Wish, how: Partial<Pick<Wish, "down" | "stopped">>): void {
    const nowMs = this.#ground.timeline.nowMs;
    const was = wish.down || wish.stopped;
    Object.assign(wish, how);
    wish.changedMs = nowMs;
    if (was && !wish.down && !wish.stopped) wish.upMs = nowMs;
  }

  #enqueue(run: () => void): void {
    if (this.idle) run();
    else this.#queue.push(run);
  }

  #send(
    rest: DistributiveOmit<OperatorCommand, "id">,
    done: () => void,
    signer: Signer = ROOT,
    told?: (reply: string, id: string) => void,
  ): void {
    const id = `command-${this.said.length + 1}`;
    const command = { ...rest, id } as OperatorCommand;
    const sentMs = this.#ground.timeline.nowMs;
    const said: Said = {
      id,
      verb: command.verb,
      app: "app" in command ? command.app : "node" in command ? command.node : "",
      sentMs,
      fromKnown: signer === ROOT ||
        this.#conductor.machine?.state.roster.nameOf(signer.key) !== undefined,
      reply: null,
      done,
      ...(told ? { told } : {}),
      isDone: false,
    };
    this.said.push(said);
    this.#waiting = said;
    const { wallMs } = instant(this.#ground.timeline, this.skewMs);
    const text = `${formatOperatorCommand(command)}|${Math.floor(wallMs / 1000)}`;
    const signed = formatSigned(text, fakeSignature(text, signer));
    this.overheard.push(signed);
    // A port of its own for each command, as the CLI has: a late reply to another is not heard.
    const from = { ...OPERATOR, port: OPERATOR.port + ++this.#ports };
    const { network, timeline } = this.#ground;
    network.open(from, (reply) => this.#heard(said, reply, signed));
    let attempts = 0;
    const attempt = () => {
      if (this.#waiting !== said) return;
      if (timeline.nowMs - sentMs > GIVE_UP_MS) return this.#answered(said, "unknown");
      if (++attempts % PATIENCE === 0 && this.#conductors.length > 1) this.#turn(said, signed);
      network.send(signed, from, commandsOf(this.#at.index));
      timeline.after(200, attempt);
    };
    attempt();
    timeline.after(TCP_AFTER_MS, () => this.#byTcp(said, signed));
  }

  /** A standby says who leads, and is no answer. */
  #heard(said: Said, reply: string, signed: string): void {
    if (!reply.startsWith("ERR|STANDBY|")) return this.#answered(said, reply);
    if (this.#waiting !== said) return;
    const leader = this.#conductors.find(({ host }) => reply.endsWith(`|${host}:7771`));
    if (!leader || leader === this.#at) return;
    this.#at = leader;
    this.#byTcp(said, signed);
  }

  /** Asks the next one. */
  #turn(said: Said, signed: string): void {
    this.#at = this.#conductors[this.#at.index % this.#conductors.length]!;
    this.#byTcp(said, signed);
  }

  #byTcp(said: Said, signed: string): void {
    if (this.#waiting !== said) return;
    const { network, timeline } = this.#ground;
    const at = this.#at;
    const stream = at.up ? network.stream(OPERATOR.hostname, at.host) : null;
    if (!stream) return;
    timeline.after(1, () => {
      at.command(signed, OPERATOR.hostname, (reply) => stream.toClient(reply), "tcp");
    });
    stream.onClient = (reply) => {
      stream.break();
      this.#heard(said, reply, signed);
    };
  }

  #answered(said: Said, reply: string): void {
    if (this.#waiting !== said) return;
    this.#waiting = null;
    said.reply = reply;
    if (reply.startsWith("OK|")) this.#done(said);
    else this.#ground.witness.tell(`operator: ${said.verb} ${said.app}: ${reply.slice(0, 120)}`);
    if (said.told) said.told(reply, said.id);
    else this.#queue.shift()?.();
  }

  #done(said: Said): void {
    said.isDone = true;
    said.done();
  }
}

function freshWish(app: string, volume: boolean): Wish {
  return {
    app,
    volume,
    generation: 0,
    applied: new Map(),
    count: undefined,
    down: true,
    stopped: false,
    changedMs: 0,
    upMs: 0,
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
