// What `deno task cluster` shows: progress, addresses, and how the cluster is doing.

import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import type { AppView, EventView, StatusView } from "../../core/view.ts";
import type { Conductor } from "../conductor.ts";
import type { Output, Paint } from "../output.ts";
import { Block, terminalRows } from "../render/block.ts";
import { type Progress, progress } from "../render/progress.ts";
import { cutTo } from "../render/table.ts";
import { eventLine, statusLines } from "../render/views.ts";
import type { Cluster } from "./cluster.ts";

/** How often the status on a terminal is looked at, ms. */
const LOOK_MS = 1_000;

/** The cluster's display. On a terminal it ends in a block that is kept up to date. */
export class Screen {
  readonly #block: Block;
  readonly #progress: Progress;
  #lines: readonly string[] = [];

  constructor(private readonly output: Output) {
    this.#block = new Block(output);
    this.#progress = progress(output);
  }

  /** A line that stays. */
  say(line: string): void {
    this.#block.clear();
    this.output.note(line);
    if (this.#lines.length > 0) this.#block.draw(this.#lines);
  }

  /** An app is coming along. */
  view(view: AppView): void {
    this.#progress.update(view);
  }

  /** All is ready: where everything is. */
  ready(cluster: Cluster, ms: number): void {
    this.#progress.end();
    const { notePaint } = this.output;
    this.output.note(`${notePaint.good("ready")} in ${(ms / 1_000).toFixed(1)} s`);
    const lines = whereLines(cluster, notePaint, denoCommand(Deno.execPath()));
    for (const line of ["", ...lines.map((each) => `  ${each}`), ""]) this.output.note(line);
  }

  /** Shows how the cluster is doing until the signal is aborted. */
  async live(conductor: Conductor, signal: AbortSignal): Promise<void> {
    if (this.output.noteColumns === null) await this.#events(conductor, signal);
    else await this.#status(conductor, signal);
  }

  async #status(conductor: Conductor, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#lines = await this.#look(conductor);
      if (!signal.aborted) this.#block.draw(this.#lines);
      await pause(LOOK_MS, signal);
    }
    this.#block.keep();
    this.#lines = [];
  }

  async #look(conductor: Conductor): Promise<readonly string[]> {
    const width = (this.output.noteColumns ?? 80) - 1;
    try {
      const status = await conductor.get<StatusView>("/api/status");
      const { notePaint: paint } = this.output;
      return statusLines(status, { paint, columns: width }).slice(0, terminalRows() - 2);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return [this.output.notePaint.bad(cutTo(error.message, width))];
    }
  }

  async #events(conductor: Conductor, signal: AbortSignal): Promise<void> {
    let last = 0;
    while (!signal.aborted) {
      try {
        // The first time nothing of the past: it has been told already.
        const path = `/api/events?follow=1&limit=${last === 0 ? 1 : 100}`;
        for await (const event of conductor.lines<EventView>(path, signal)) {
          if (event.sequence > last && last > 0) {
            this.output.note(eventLine(event, this.output.notePaint, Date.now()));
          }
          last = Math.max(last, event.sequence);
        }
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
      await pause(LOOK_MS, signal);
    }
  }
}

/** How Deno was started, as it is typed: whoever has it from npx has no `deno` to type. */
export function denoCommand(execPath: string): string {
  return execPath.includes("/_npx/") ? `npx -y deno@${Deno.version.deno}` : "deno";
}

/**
 * Where everything is: what to open in a browser, the shop or what there is of it, and what to type.
 *
 * @param deno how Deno is started
 */
export function whereLines(
  { layout, secretKey, outcomes }: Pick<Cluster, "layout" | "secretKey" | "outcomes">,
  paint: Paint,
  deno: string,
): string[] {
  const url = `http://${showAddress(layout.ingress)}`;
  const target = isStandard(layout) ? "" : ` --conductor ${showAddress(layout.conductor)}`;
  const skr8tr = `${deno} task skr8tr${target}`;
  const has = (app: string) => outcomes.some((outcome) => outcome.app === app);
  // Whoever serves the front, in either shape.
  const shop = has("frontend-svc") || has("core-api");
  return [
    shop
      ? paint.strong(`shop       ${url}`)
      : `ingress    ${url}${has("product-svc") ? "/api/products?per_page=3" : ""}`,
    // No mail leaves a cluster for trying out: each is a file, and this says where.
    ...["async-worker", "user-svc"].filter(has)
      .map((app) => `mails      ${skr8tr} logs ${app} --grep mail-written`),
    `conductor  ${showAddress(layout.conductor)}`,
    `tower      ${showAddress(layout.tower)}`,
    `try        ${skr8tr} status`,
    `           ${skr8tr} --key ${secretKey} up FILE`,
  ];
}

function isStandard({ conductor }: Cluster["layout"]): boolean {
  return conductor.hostname === "127.0.0.1" && conductor.port === 7771;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
