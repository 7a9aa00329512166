// Many worlds at once, spread over Web Workers: as many as there are cores.

import type { Choice, Kind } from "./kinds.ts";

/** What a worker is asked for: these seeds. */
export interface Task {
  readonly kind: Kind;
  readonly choice: Choice;
  readonly from: number;
  readonly to: number;
}

/** What it answers for each world. */
export interface Brief {
  readonly seed: number;
  readonly violation: string | null;
  readonly settledMs: number;
  readonly virtualMs: number;
  readonly datagrams: number;
  readonly checked: number;
  readonly requests: { readonly asked: number; readonly lost: number; readonly excused: number };
}

export interface Crowd {
  readonly kind: Kind;
  readonly from: number;
  readonly count: number;
  readonly choice?: Choice;
  readonly workers?: number;
  /** Hears how many are done. */
  onProgress?(done: number): void;
}

/** So many worlds are one errand of a worker. */
const BATCH = 20;

/** Runs worlds until all are done or some have failed; in the order of their seeds. */
export async function simulateMany(crowd: Crowd): Promise<Brief[]> {
  const { kind, from, count, choice = {} } = crowd;
  const briefs: Brief[] = [];
  let next = from;
  const end = from + count;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL("./crowd.worker.ts", import.meta.url), { type: "module" });
    try {
      while (next < end && !briefs.some(({ violation }) => violation !== null)) {
        const task: Task = { kind, choice, from: next, to: Math.min(end, next + BATCH) };
        next = task.to;
        briefs.push(...await ask(worker, task));
        crowd.onProgress?.(briefs.length);
      }
    } finally {
      worker.terminate();
    }
  };
  const workers = crowd.workers ?? Math.max(1, Math.min(8, navigator.hardwareConcurrency));
  await Promise.all(Array.from({ length: workers }, work));
  return briefs.sort((a, b) => a.seed - b.seed);
}

function ask(worker: Worker, task: Task): Promise<Brief[]> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`a world broke: ${event.message}`));
    };
    worker.postMessage(task);
  });
}
