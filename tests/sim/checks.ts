// What must hold at every moment. Each rule is looked at whenever something happens that could break
// it: a program starts or is signalled, an entry is kept, a request goes somewhere; what only time
// breaks is looked at every 250 ms.

import { LEAD_MS } from "../../core/limits.ts";
import type { Entry } from "../../core/log.ts";
import type { Replica } from "../../ingress/balance.ts";
import { CargoChecks } from "./cargo_checks.ts";
import type { Cast } from "./cast.ts";
import type { Judge } from "./clients.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { Witness } from "./daemon.ts";
import { Excuses } from "./excuses.ts";
import { History } from "./history.ts";
import type { IngressHost } from "./ingress_host.ts";
import type { TowerHost } from "./tower_host.ts";
import type { NodeHost } from "./node_host.ts";
import { BUSY_ABOVE, isSleeper, scalesOf, SHY_PERCENT } from "./manifests.ts";
import { isMissing, TowerNews } from "./tower_news.ts";
import { isFinal } from "./operator.ts";
import type { Process } from "./process.ts";
import type { Timeline } from "./queue.ts";
import { Violation } from "./violation.ts";

/** The manifests of this world drain for 2 s. */
const DRAIN_MS = 1_900;
/** A ready replica is in the tower's list, and in an ingress's table, after so long at most. */
const LISTED_MS = 10_000;
/** The same where no datagram is lost. */
const LISTED_CALM_MS = 3_000;
/** A node and a tower that have not reached each other for so long may have given each other up. */
const APART_MS = 500;
/** For so long after they do again. */
const BACK_MS = 2_500;
/** An ingress goes from one tower to another in so long, and has said by then what it is at work on. */
const MOVED_MS = 500;
/** A slow disk takes so long at most. */
const DISK_MS = 1_000;
/** With nothing broken a request to an app that sleeps is answered within this. */
const WAKE_MS = 5_000;
/** Apps whose last change is more recent than this may be without a replica. */
const COMING_MS = 12_000;

/** A change of an app's number that the conductor decided. */
interface ScaleStep {
  readonly count: number;
  readonly atMs: number;
  /** The number before, where that is known. */
  readonly from?: number;
}

/** What was used so long ago may still be the reason of a step: the window, and a wish's life. */
const WISHED_MS = 10_000;

export class Checker implements Witness, Judge {
  readonly story: string[] = [];
  readonly excuses: Excuses;
  readonly history = new History();
  readonly #cargo = new CargoChecks(this);
  readonly #towerNews = new TowerNews();
  /** How many checks were made, so that a run that checked nothing shows. */
  checked = 0;
  /** Requests lost for which there is an excuse; of these, those that came before it was ready. */
  excused = 0;
  early = 0;
  cast!: Cast;
  /** When each stop was first seen at work: replica -> virtual ms. */
  readonly #stopping = new Map<string, number>();
  /** App that scales -> its last step. */
  readonly #counts = new Map<string, ScaleStep>();
  /** What the programs of an app that scales by CPU have used, in percent, lately. */
  readonly #uses: { readonly app: string; readonly atMs: number; readonly percent: number }[] = [];
  /** Of whoever of several conductors began to lead last. */
  #term = 0;
  #givenBack = { term: 0, atMs: -Infinity };
  /** Replica and tower -> since when it has been ready and that has not listed it. */
  readonly #unlisted = new Map<string, number>();
  /** Tower -> since when it has been there, and its list has lacked some. */
  readonly #incomplete = new Map<string, number>();
  /** Ingress -> since when it has had a tower to find. */
  readonly #findable = new Map<string, number>();
  /** Node and tower -> since when they have not reached each other, and until when. */
  #lossMs = -Infinity;
  readonly #apart = new Map<string, { readonly sinceMs: number; untilMs: number }>();
  /** Apps that have been served, to the conductor's knowledge, since they came up; since when. */
  readonly #served = new Map<string, number>();

  constructor(private readonly timeline: Timeline) {
    this.excuses = new Excuses(timeline);
  }

  tell(text: string): void {
    this.story.push(`${(this.timeline.nowMs / 1000).toFixed(3).padStart(8)} ${text}`);
  }

  // ---- Programs -----------------------------------------------------------------------------------

  started(node: NodeHost, process: Process): void {
    this.tell(`${node.name} starts ${process.replica} (generation ${process.generation})`);
    this.checked++;
    const wish = this.cast.operator.wishes.get(process.app);
    for (const other of this.cast.nodes) {
      for (const each of other.processes) {
        if (!each.alive || each.app !== process.app) continue;
        if (each === process) continue;
        if (each.replica === process.replica) {
          this.fail(`${process.replica} runs twice: on ${other.name} and on ${node.name}`);
        }
        if (wish?.volume && other !== node) {
          this.fail(`${process.app} has a volume and runs on ${other.name} and on ${node.name}`);
        }
      }
    }
    this.#work(node, process);
    this.#cargo.started(node, process);
    if (!this.history.isSigned(process.app, process.generation, process.sequence)) {
      this.fail(
        `${process.replica} runs generation ${process.generation} by entry ${process.sequence}, ` +
          "which does not say so",
      );
    }
  }

  /** A run is done once, and one after the other. */
  #work(node: NodeHost, process: Process): void {
    const run = this.history.jobs.runOf(process.replica);
    if (run === undefined) return;
    const programs = this.cast.nodes.flatMap((each) => each.processes);
    if (programs.some((each) => each.replica === process.replica && each.code === 0)) {
      this.fail(`${process.replica}, ${run}, is started again after it had succeeded`);
    }
    const beside = programs.find((each) =>
      each.alive && each.app === process.app && this.history.jobs.runOf(each.replica) !== run
    );
    // What runs on a node that was called dead is not waited for.
    if (!beside || this.excuses.isDisturbed) return;
    this.fail(`${run} starts on ${node.name} while ${beside.replica} of another run is at work`);
  }

  ended(node: NodeHost, process: Process): void {
    const how = process.lost ? "no power" : process.signal ?? `code ${process.code}`;
    this.tell(`${node.name}: ${process.replica} ends (${how})`);
    this.cast.clients.ended(process, node.powered);
    if (process.signalledMs === undefined) this.excuses.died(process.app);
  }

  /** A replica that is told to stop has left every ingress that listens, or its drain is over. */
  signalled(node: NodeHost, process: Process, signal: string): void {
    this.tell(`${node.name} sends ${signal} to ${process.replica}`);
    if (signal === "SIGKILL") return this.excuses.died(process.app);
    this.checked++;
    const status = node.machine?.statuses().find((each) => each.replica === process.replica);
    if (status && status.state !== "stopping") return this.excuses.died(process.app);
    // Nobody can have sent anything to what does not listen yet.
    if (this.timeline.nowMs < process.answersMs) return;
    if (this.#drainMs(process.replica) >= DRAIN_MS) return;
    for (const ingress of this.cast.ingresses) {
      // One that came (back) only when the drain had begun is not waited for, unless it has told
      // another tower that it is at work there; nor one that has been silent for as long as its lease.
      const stopMs = this.#stopping.get(process.replica) ?? this.timeline.nowMs;
      const sinceMs = Math.max(
        this.#hasMoved(ingress) ? 0 : ingress.connectedMs,
        ingress.returnedMs,
      );
      if (!ingress.listens || sinceMs > stopMs - 100) continue;
      if (this.#isGivenUp(node, ingress.lastTower)) continue;
      const sends = ingress.targets().some((each) => each.replica === process.replica);
      const busy = ingress.inFlight.get(process.replica) ?? 0;
      if (!sends && busy === 0) continue;
      this.fail(
        `${process.replica} gets ${signal} ${Math.round(this.#drainMs(process.replica))} ms into ` +
          `its drain while ${ingress.name} ${sends ? "still sends there" : "waits for its answer"}`,
      );
    }
  }

  /** It has gone from one tower to another at once, and some time ago. */
  #hasMoved({ gapMs, connectedMs }: IngressHost): boolean {
    return gapMs < MOVED_MS && this.timeline.nowMs - connectedMs > MOVED_MS;
  }

  /** A node does not wait for one of several towers that has not answered for a while. */
  #isGivenUp(node: NodeHost, tower: TowerHost | null): boolean {
    if (this.cast.towers.length === 1 || tower === null) return false;
    const apart = this.#apart.get(`${node.name} ${tower.name}`);
    return apart !== undefined && apart.untilMs - apart.sinceMs >= APART_MS &&
      this.timeline.nowMs - apart.untilMs < BACK_MS;
  }

  #drainMs(replica: string): number {
    return this.timeline.nowMs - (this.#stopping.get(replica) ?? this.timeline.nowMs);
  }

  // ---- The log ------------------------------------------------------------------------------------

  appended(entry: Entry): void {
    this.checked++;
    const { body } = entry;
    if (body.kind === "command") this.#executed(body.signed.text);
    if (body.kind === "decision") {
      for (const step of body.scale ?? []) this.#scaled(step);
      this.#cargo.decided(body);
    }
    try {
      this.history.take(entry);
    } catch (error) {
      if (error instanceof Violation) this.tell(`VIOLATION: ${error.message}`);
      throw error;
    }
  }

  /** Who was told that a command failed can rely on that. */
  #executed(text: string): void {
    const said = this.cast.operator.said.find((each) => text.includes(`|${each.id}|`));
    if (said && isFinal(said)) this.fail(`${said.id} is executed after ${said.reply} was answered`);
  }

  /** What scales by itself keeps to its bounds, and takes one step in its cooldown, for a reason. */
  #scaled({ app, count }: { readonly app: string; readonly count: number }): void {
    const scales = scalesOf(app);
    if (!scales) return;
    this.checked++;
    const { nowMs } = this.timeline;
    const before = this.#counts.get(app);
    this.#counts.set(app, { count, atMs: nowMs, ...(before ? { from: before.count } : {}) });
    if (count > scales.max) this.fail(`${app} scales to ${count}, where ${scales.max} is the most`);
    if (count < scales.min) {
      this.fail(`${app} scales to ${count}, where ${scales.min} is the least`);
    }
    // Waking and falling asleep wait for nothing, and a rollout does not hinder them.
    if (count === 0 || before?.count === 0) return;
    const rollout = this.cast.conductor.machine?.state.apps.get(app)?.rollout;
    if (!isSleeper(app) && rollout && rollout.phase !== "done") {
      this.fail(`${app} scales to ${count} while its rollout is ${rollout.phase}`);
    }
    if (!before) return;
    const sinceMs = Math.round(nowMs - before.atMs);
    if (Math.abs(count - before.count) > 1 || sinceMs < scales.cooldownMs - DISK_MS) {
      this.fail(
        `${app} scales from ${before.count} to ${count}, ${sinceMs} ms after its last step`,
      );
    }
    if (!isSleeper(app)) this.#justified(app, before, count);
  }

  /** By CPU: only what was used calls for it, and nothing goes back and forth under one load. */
  #justified(app: string, before: ScaleStep, count: number): void {
    const { nowMs } = this.timeline;
    const isMore = count > before.count;
    const lately = this.#uses.filter((each) => each.app === app && nowMs - each.atMs < WISHED_MS);
    const isSeen = lately.some(({ percent }) =>
      isMore ? percent > BUSY_ABOVE : percent < BUSY_ABOVE / 2
    );
    if (!isSeen) {
      const used = lately.map(({ percent }) => Math.round(percent)).join(" ");
      this.fail(`${app} scales from ${before.count} to ${count}, and they used ${used} %`);
    }
    const wasMore = before.from === undefined ? isMore : before.count > before.from;
    const stillMs = nowMs - Math.max(
      this.cast.loads.changedMs(app),
      this.cast.operator.wishes.get(app)?.changedMs ?? -Infinity,
    );
    const steadyMs = nowMs - before.atMs;
    if (wasMore === isMore || stillMs < steadyMs + WISHED_MS || this.excuses.isDisturbed) return;
    if (this.excuses.isWounded(app)) return;
    this.fail(`${app} scales from ${before.count} to ${count} and back under one load`);
  }

  /** To be called every 250 ms. */
  #noteUses(): void {
    const { loads, nodes } = this.cast;
    const { nowMs } = this.timeline;
    for (const app of loads.names()) {
      const programs = nodes.flatMap((node) => node.processes).filter((each) =>
        each.app === app && each.alive && nowMs >= each.answersMs
      );
      this.#uses.push({ app, atMs: nowMs, percent: loads.percentOf(app, programs.length) });
    }
    while (this.#uses.length > 0 && nowMs - this.#uses[0]!.atMs > WISHED_MS) this.#uses.shift();
  }

  // ---- Who leads ---------------------------------------------------------------------------------

  led(conductor: ConductorHost, term: number): void {
    this.tell(`${conductor.name} leads, term ${term}`);
    this.checked++;
    if (term <= this.#term) {
      this.fail(`${conductor.name} leads in term ${term}, and there was term ${this.#term} before`);
    }
    this.#term = term;
    const other = this.cast.conductors.find((each) => each !== conductor && each.leads);
    if (other) this.fail(`${conductor.name} leads, and the lease of ${other.name} is not over`);
  }

  gaveBack(term: number): void {
    this.#givenBack = { term, atMs: this.timeline.nowMs };
  }

  /**
   * Whoever has begun to lead is the only one that is obeyed from then on; but what was on its way
   * when a lease was given back is obeyed for as long as that would have lasted.
   */
  obeyed(node: NodeHost, order: string, term: number): void {
    this.checked++;
    if (term === this.#term) return;
    const { term: givenBack, atMs } = this.#givenBack;
    if (term === givenBack && this.timeline.nowMs - atMs < LEAD_MS) return;
    this.fail(
      `${node.name} obeys "${order}" of term ${term}, where term ${this.#term} has begun`,
    );
  }

  // ---- Requests -----------------------------------------------------------------------------------

  lost(ingress: IngressHost, app: string, why: string): void {
    this.checked++;
    const wish = this.cast.operator.wishes.get(app);
    const servedMs = this.#served.get(app);
    const isGoing = this.cast.operator.said.some((each) =>
      each.app === app && (each.verb === "DOWN" || each.verb === "STOP") && !each.isDone
    );
    const isComing = servedMs === undefined || !wish || wish.down || wish.stopped ||
      servedMs < wish.upMs;
    // A volume's replicas are replaced one after another, so a single one leaves a gap.
    const hasGaps = wish?.volume === true &&
      (this.timeline.nowMs - wish.changedMs < COMING_MS ||
        this.cast.operator.said.some((each) => each.app === app && !each.isDone) ||
        this.#isHomeBarred(app));
    if (
      isComing || isGoing || hasGaps || this.excuses.isWounded(app) || this.excuses.isDisturbed ||
      this.excuses.isTowerNew || this.#isYoung(ingress)
    ) {
      this.excused++;
      if (isComing) this.early++;
      return;
    }
    this.fail(`${ingress.name} lost a request to ${app}: ${why}`);
  }

  /** A volume's replicas that were stopped for a generation are placed nowhere then. */
  #isHomeBarred(app: string): boolean {
    const { conductor, nodes, operator } = this.cast;
    const home = conductor.machine?.state.apps.get(app)?.home;
    const node = nodes.find((each) => each.id === home);
    // Without a conductor nobody knows where its home is.
    if (!node) return operator.bars.size > 0;
    return operator.bars.has(node.name) ||
      this.timeline.nowMs - (operator.unbarredMs.get(node.name) ?? -Infinity) < COMING_MS;
  }

  woke(ingress: IngressHost, app: string, waitedMs: number): void {
    this.checked++;
    const wish = this.cast.operator.wishes.get(app);
    const since = wish ? this.timeline.nowMs - wish.changedMs : 0;
    if (this.cast.mayFail || waitedMs <= WAKE_MS || since < COMING_MS) return;
    this.fail(`${ingress.name} held a request to ${app} for ${Math.round(waitedMs)} ms`);
  }

  refused(ingress: IngressHost, replica: Replica): void {
    this.checked++;
    const { replica: id, app } = replica.endpoint;
    if (!ingress.listens || this.#isYoung(ingress) || this.excuses.isDisturbed) return;
    if (this.excuses.isTowerNew || this.excuses.isWounded(app)) return;
    if (this.#drainMs(id) >= DRAIN_MS) return;
    this.fail(`${ingress.name} sends a request to ${id}, which is not ready`);
  }

  shared(ingress: IngressHost, app: string, canary: number, all: number): void {
    this.checked++;
    if (canary <= all * SHY_PERCENT / 100 + 1) return;
    // Where the old ones do not answer the new one is better than nothing.
    if (this.cast.mayFail && (this.excuses.isDisturbed || this.excuses.isWounded(app))) return;
    if (this.cast.mayFail && (this.excuses.isTowerNew || this.#isYoung(ingress))) return;
    // Who reaches none of several towers has not heard which replicas there are, nor of whom.
    if (!ingress.connected || this.timeline.nowMs - ingress.connectedMs < MOVED_MS) return;
    this.fail(`${ingress.name} gave the canary of ${app} ${canary} of ${all} requests`);
  }

  misdirected(ingress: IngressHost, replica: Replica, by: Process): void {
    this.checked++;
    const { replica: id, app } = replica.endpoint;
    if (by.app === app) return;
    // A daemon that was started again does not remember which ports rest.
    const node = this.cast.nodes.find((each) => each.host === replica.endpoint.host);
    if (node && node.startedMs > 0) return;
    this.fail(`${ingress.name} sends a request for ${id} to ${by.replica}, which has its port`);
  }

  /** It has not had the time to hear of everything, or nobody tells it. */
  #isYoung(ingress: IngressHost): boolean {
    return this.excuses.isBlind(ingress, this.cast) || !ingress.machine?.informed ||
      this.timeline.nowMs - ingress.startedMs < 3_000;
  }

  // ---- What only time breaks ----------------------------------------------------------------------

  /** Notes since when replicas have been stopping. */
  stepped({ machine }: NodeHost): void {
    for (const [id, { state: { at } }] of machine?.replicas ?? []) {
      if ((at === "draining" || at === "terminating") && !this.#stopping.has(id)) {
        this.#stopping.set(id, this.timeline.nowMs);
      }
    }
  }

  /** To be called every 250 ms. */
  lookAround(): void {
    this.checked++;
    const { operator } = this.cast;
    this.excuses.look((app) => this.#isServed(app));
    this.excuses.lookAtTowers(this.cast);
    for (const app of operator.wishes.keys()) {
      if (!this.#served.has(app) && this.#isServed(app) && this.#isKnownReady(app)) {
        this.#served.set(app, this.timeline.nowMs);
      }
      const wish = operator.wishes.get(app)!;
      if (wish.down || wish.stopped) this.#served.delete(app);
    }
    this.#noteUses();
    this.#lookAtTowers();
    this.#lookForTowers();
    const unknown = this.#towerNews.look(this.cast);
    if (unknown) this.fail(unknown);
  }

  /** What is ready is listed by every tower that its node reaches; a list is whole again in time. */
  #lookAtTowers(): void {
    const { towers, nodes, network } = this.cast;
    const { nowMs } = this.timeline;
    // What was late under loss has its time anew once there is none.
    if (network.weather.loss > 0) this.#lossMs = nowMs;
    const listedMs = nowMs - this.#lossMs < LISTED_MS ? LISTED_MS : LISTED_CALM_MS;
    for (const tower of towers) {
      const isThere = tower.up && !tower.paused;
      const lacksMs = this.#sinceMs(
        this.#incomplete,
        tower.name,
        isThere && tower.machine?.watch.isComplete === false,
      );
      if (lacksMs > LISTED_MS) this.fail(`the list of ${tower.name} lacks some for ${lacksMs} ms`);
      for (const node of nodes) {
        const meets = isThere && node.up && !node.paused && !network.isCut(node.host, tower.host);
        this.#noteApart(`${node.name} ${tower.name}`, meets);
        for (const status of node.machine?.statuses() ?? []) {
          const where = `${status.replica} on ${node.name}`;
          const forMs = this.#sinceMs(
            this.#unlisted,
            `${where} at ${tower.name}`,
            meets && isMissing(status, tower, towers.length === 1),
          );
          if (forMs <= listedMs) continue;
          this.fail(
            `${where} has been ready for ${forMs} ms and the ${tower.name} does not list it`,
          );
        }
      }
    }
  }

  #noteApart(pair: string, meets: boolean): void {
    const { nowMs } = this.timeline;
    const apart = this.#apart.get(pair);
    if (meets) return;
    if (apart && nowMs - apart.untilMs < BACK_MS) apart.untilMs = nowMs;
    else this.#apart.set(pair, { sinceMs: nowMs, untilMs: nowMs });
  }

  /** For how long this has been so; 0 while it is not, in virtual ms. */
  #sinceMs(known: Map<string, number>, key: string, isSo: boolean): number {
    const { nowMs } = this.timeline;
    if (!isSo) {
      known.delete(key);
      return 0;
    }
    const sinceMs = known.get(key);
    if (sinceMs === undefined) known.set(key, nowMs);
    return nowMs - (sinceMs ?? nowMs);
  }

  /** An ingress finds a tower that there is. */
  #lookForTowers(): void {
    const { ingresses, towers, network } = this.cast;
    for (const ingress of ingresses) {
      const mayFind = ingress.up && !ingress.paused &&
        towers.some((tower) =>
          tower.up && !tower.paused && !network.isCut(ingress.host, tower.host)
        );
      const forMs = this.#sinceMs(this.#findable, ingress.name, mayFind);
      const lostMs = Math.max(ingress.lostMs ?? Infinity, ingress.startedMs);
      if (forMs > LISTED_MS && this.timeline.nowMs - lostMs > LISTED_MS) {
        this.fail(`${ingress.name} has not found the tower again`);
      }
    }
  }

  /** The conductor knows of a ready replica: until then a deploy has not succeeded. */
  #isKnownReady(app: string): boolean {
    return [...this.cast.conductor.machine?.fleet.values() ?? []].some((node) =>
      [...node.statuses.values()].some((each) => each.app === app && each.state === "ready")
    );
  }

  #isServed(app: string): boolean {
    const ingresses = this.cast.ingresses.filter((each) => each.up && !each.paused);
    return ingresses.length > 0 && ingresses.every((ingress) => {
      const targets = ingress.targets().filter((each) => each.app === app);
      return targets.length > 0 && targets.every((each) => {
        const node = this.cast.nodes.find((node) => node.host === each.host);
        return node?.powered && node.listener(each.port)?.replica === each.replica;
      });
    });
  }

  fail(text: string): never {
    this.tell(`VIOLATION: ${text}`);
    throw new Violation(text);
  }
}
