// What must hold at every moment, and what must have come about in the end.

import { parseOperatorCommand } from "../../core/command.ts";
import type { ConductorHost, IngressHost, NodeHost, Process, TowerHost, Witness } from "./hosts.ts";
import type { Operator } from "./operator.ts";
import type { Timeline } from "./queue.ts";

/** Something that must never be. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export interface Cast {
  readonly timeline: Timeline;
  readonly conductor: ConductorHost;
  readonly tower: TowerHost;
  readonly ingress: IngressHost;
  readonly nodes: readonly NodeHost[];
  readonly operator: Operator;
}

/** Watches everything that happens and keeps the story. */
export class Checker implements Witness {
  readonly story: string[] = [];
  /** How many checks were made, so that a run that checked nothing shows. */
  checked = 0;
  cast!: Cast;
  /** When each stop was first seen at work: replica -> virtual ms. */
  readonly #stopping = new Map<string, number>();

  tell(text: string): void {
    this.story.push(`${(this.cast.timeline.nowMs / 1000).toFixed(3).padStart(8)} ${text}`);
  }

  started(node: NodeHost, process: Process): void {
    this.tell(`${node.name} starts ${process.replica} (generation ${process.generation})`);
    this.checked++;
    for (const other of this.cast.nodes) {
      for (const each of other.running()) {
        if (each === process) continue;
        if (each.replica === process.replica) {
          this.#fail(`${process.replica} runs twice: on ${other.name} and on ${node.name}`);
        }
        const wish = this.cast.operator.wishes.get(process.app);
        if (wish?.volume && each.app === process.app && other !== node) {
          this.#fail(`${process.app} has a volume and runs on ${other.name} and on ${node.name}`);
        }
      }
    }
    this.#checkSigned(process);
  }

  ended(node: NodeHost, process: Process): void {
    const how = process.signal ?? `code ${process.code}`;
    this.tell(`${node.name}: ${process.replica} ends (${how})`);
  }

  /** A replica that is told to stop has left every ingress that listens, or its drain is over. */
  signalled(node: NodeHost, process: Process, signal: string): void {
    this.tell(`${node.name} sends ${signal} to ${process.replica}`);
    if (signal === "SIGKILL") return;
    this.checked++;
    const status = node.machine?.statuses().find((each) => each.replica === process.replica);
    if (status && status.state !== "stopping") return;
    // A program that does not answer yet, started anew after a crash, has no request to lose.
    if (this.cast.timeline.nowMs < process.answersMs) return;
    const { ingress, timeline } = this.cast;
    const sinceMs = timeline.nowMs - (this.#stopping.get(process.replica) ?? timeline.nowMs);
    const listens = ingress.connected && timeline.nowMs - ingress.lastSaidMs < 1_000;
    const sends = ingress.targets().some((each) => each.replica === process.replica);
    if (listens && sends && sinceMs < 1_900) {
      this.#fail(
        `${process.replica} gets ${signal} ${Math.round(sinceMs)} ms into its drain ` +
          "while the ingress still sends there",
      );
    }
  }

  /** To be called often: notes since when replicas have been stopping. */
  look(): void {
    for (const node of this.cast.nodes) {
      for (const status of node.machine?.statuses() ?? []) {
        if (status.state !== "stopping" || this.#stopping.has(status.replica)) continue;
        this.#stopping.set(status.replica, this.cast.timeline.nowMs);
      }
    }
  }

  /** Only what an operator signed runs, and as the app that was signed. */
  #checkSigned(process: Process): void {
    const entry = this.cast.conductor.entries[process.sequence - 1];
    if (entry?.body.kind !== "command") {
      this.#fail(`${process.replica} runs by entry ${process.sequence}, which is no command`);
    }
    const { text } = entry.body.signed;
    const command = parseOperatorCommand(text.slice(0, text.lastIndexOf("|")));
    const fits = "verb" in command && command.verb === "APPLY" && command.app === process.app &&
      command.generation === process.generation;
    if (!fits) this.#fail(`${process.replica} does not run what entry ${process.sequence} says`);
  }

  /** What is still missing for everything to be as signed; empty when all is well. */
  unfinished(): string[] {
    const { conductor, tower, ingress, nodes, operator } = this.cast;
    const missing: string[] = [];
    if (!operator.idle) missing.push("the operator waits for an answer");
    const running = nodes.flatMap((node) => node.running().map((process) => ({ node, process })));
    for (const wish of operator.wishes.values()) {
      const mine = running.filter(({ process }) => process.app === wish.app);
      const wanted = wish.down ? 0 : wish.replicas;
      const current = mine.filter(({ process }) => process.generation === wish.generation);
      if (mine.length !== wanted || current.length !== wanted) {
        missing.push(
          `${wish.app} shall have ${wanted} of generation ${wish.generation}, has ` +
            mine.map(({ node, process }) => `${process.replica}@${node.name}`).join(" "),
        );
      }
    }
    const ids = (list: Iterable<string>) => [...list].sort().join(" ");
    const alive = ids(running.map(({ process }) => process.replica));
    const listed = ids(
      [...operator.wishes.keys()].flatMap((app) =>
        [...tower.machine?.registry.ofApp(app) ?? []].map((entry) => entry.endpoint.replica)
      ),
    );
    const routed = ids(ingress.targets().map((each) => each.replica));
    if (listed !== alive) missing.push(`the tower lists [${listed}], running are [${alive}]`);
    if (routed !== alive) missing.push(`the ingress sends to [${routed}], running are [${alive}]`);
    for (const app of conductor.machine?.state.apps.values() ?? []) {
      for (const placement of app.placements.values()) {
        if (placement.leaving) missing.push(`${placement.replica} is still leaving`);
      }
    }
    return missing;
  }

  #fail(text: string): never {
    this.tell(`VIOLATION: ${text}`);
    throw new Violation(text);
  }
}
