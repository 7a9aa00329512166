// How far uploads are: a bar for each on a terminal, one line at its end elsewhere.

import type { Output } from "../output.ts";
import { Block } from "./block.ts";
import { cutTo } from "./table.ts";

/** Shows uploads on stderr. */
export interface UploadProgress {
  /** An app's artifact is sent up to here. */
  sent(app: string, sent: number, bytes: number): void;
  /** All is sent, or one has failed: later lines go below what is shown. */
  end(): void;
}

const BAR = 24;

export function uploadProgress(output: Output): UploadProgress {
  const columns = output.noteColumns;
  if (columns === null) {
    return {
      sent(app, sent, bytes) {
        if (sent === bytes) output.note(`${app}: artifact uploaded, ${megabytes(bytes)}`);
      },
      end() {},
    };
  }
  const lines = new Map<string, string>();
  const block = new Block(output);
  return {
    sent(app, sent, bytes) {
      lines.set(app, cutTo(barLine(app, sent, bytes), columns - 1));
      block.draw([...lines.values()]);
    },
    end: () => block.keep(),
  };
}

/** `shop  [############------------]  50 %  26.2 of 52.4 MB`. */
export function barLine(app: string, sent: number, bytes: number): string {
  const share = bytes === 0 ? 1 : sent / bytes;
  const full = Math.floor(share * BAR);
  const bar = "#".repeat(full) + "-".repeat(BAR - full);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `${app}  [${bar}] ${percent} %  ${megabytes(sent, false)} of ${megabytes(bytes)}`;
}

function megabytes(bytes: number, unit = true): string {
  return `${(bytes / 1e6).toFixed(1)}${unit ? " MB" : ""}`;
}
