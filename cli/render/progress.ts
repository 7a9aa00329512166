// What happens to the replicas during a deploy: one block that is drawn anew on a terminal, a line
// for each change elsewhere.

import type { AppView, ReplicaView } from "../../core/view.ts";
import { harmless, type Output } from "../output.ts";
import { Block, terminalRows } from "./block.ts";
import { rolloutText } from "./rollout.ts";
import { cutTo } from "./table.ts";
import { exitText, span, stateColor } from "./words.ts";

/** Shows how apps are coming along, on stderr. */
export interface Progress {
  /** The newest view of an app. */
  update(view: AppView): void;
  /** Leaves the block as it stands; later lines go below it. */
  end(): void;
}

/** The progress that fits where stderr goes. */
export function progress(output: Output): Progress {
  return output.noteColumns === null ? plainProgress(output) : blockProgress(output);
}

/** One line for each change of a replica's state. */
export function plainProgress(output: Output): Progress {
  const said = new Map<string, string>();
  return {
    update(view) {
      for (const replica of view.replicas) {
        const text = replicaText(replica);
        if (said.get(replica.replica) === text) continue;
        said.set(replica.replica, text);
        output.note(`${replica.replica} on ${replica.node}: ${text}`);
      }
      const rollout = rolloutText(view);
      if (rollout !== "" && said.get(`${view.app}/rollout`) !== rollout) {
        output.note(`${view.app}: ${rollout}`);
        said.set(`${view.app}/rollout`, rollout);
      }
      const reasons = view.replicas.length === 0 ? view.reasons.join("; ") : "";
      if (reasons !== "" && said.get(view.app) !== reasons) output.note(`${view.app}: ${reasons}`);
      said.set(view.app, reasons);
    },
    end() {},
  };
}

/** A block of lines that is drawn over itself. */
export function blockProgress(output: Output, rows: () => number = terminalRows): Progress {
  const views = new Map<string, AppView>();
  const block = new Block(output);
  return {
    update(view) {
      views.set(view.app, view);
      block.draw(blockLines([...views.values()], output, rows()));
    },
    end: () => block.keep(),
  };
}

function blockLines(views: readonly AppView[], output: Output, rows: number): string[] {
  const width = (output.noteColumns ?? 80) - 1;
  const paint = output.notePaint;
  const lines = (all: boolean) =>
    views.flatMap((view) => [
      appLine(view, width, output),
      ...view.replicas.filter((replica) => all || replica.state !== "ready").map((replica) => {
        const text = cutTo(
          `  ${replica.replica} on ${replica.node}: ${replicaText(replica)}`,
          width,
        );
        return stateColor(replica.state, paint)(text);
      }),
    ]);
  const full = lines(true);
  if (full.length < rows) return full;
  const short = lines(false);
  if (short.length < rows) return short;
  return [...short.slice(0, rows - 2), `  ... and ${short.length - rows + 2} more lines`];
}

function appLine(view: AppView, width: number, output: Output): string {
  const text = `${view.app} generation ${view.generation}: ${view.ready} of ${view.wanted} ready`;
  const why = view.replicas.length === 0 && view.reasons.length > 0
    ? `: ${harmless(view.reasons.join("; "))}`
    : "";
  const rollout = rolloutText(view);
  const how = rollout === "" ? why : `, ${rollout}`;
  return output.notePaint.strong(cutTo(text + how, width));
}

function replicaText(replica: ReplicaView): string {
  const why = replica.state === "ready"
    ? replica.port === undefined ? "" : ` at ${replica.host}:${replica.port}`
    : replica.reason
    ? `: ${harmless(replica.reason)}`
    : replica.exit
    ? `: ${exitText(replica.exit)}`
    : "";
  const again = replica.restarts > 0 ? ` (restarts: ${replica.restarts})` : "";
  return `${replica.state}${why}${again}`;
}

/** How long a deploy took, for its last line. */
export function took(ms: number): string {
  return `in ${span(ms)}`;
}
