// How far a copy is: a bar on a terminal, nothing elsewhere.

import type { Output } from "../output.ts";
import { Block } from "./block.ts";
import { cutTo } from "./table.ts";
import { barLine } from "./upload.ts";

/** Between two pictures of the bar, in ms. */
const DRAW_MS = 50;

export interface CopyProgress {
  /** So many bytes more are done. */
  more(bytes: number): void;
  /** So many bytes there are, by an estimate. */
  all(bytes: number): void;
  end(): void;
}

export function copyProgress(output: Output, name: string, bytes: number): CopyProgress {
  const columns = output.noteColumns;
  if (columns === null) return { more() {}, all() {}, end() {} };
  const block = new Block(output);
  let [done, total, drawnMs] = [0, bytes, -Infinity];
  return {
    more(count) {
      done += count;
      const nowMs = performance.now();
      if (nowMs - drawnMs < DRAW_MS) return;
      drawnMs = nowMs;
      block.draw([cutTo(barLine(name, done, Math.max(done, total)), columns - 1)]);
    },
    all(count) {
      total = count;
    },
    end: () => block.keep(),
  };
}
