import { type WatchMessage, watchShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";

export type { Endpoint, WatchMessage } from "../../core/mesh.ts";

/** Reads what a tower says to its watchers; both ends are ours, so it must be readable. */
export function parseWatch(text: string): WatchMessage {
  const message = parseShaped(watchShape, text);
  if (!message) throw new Error(`the tower sent what no watcher reads: ${text.slice(0, 200)}`);
  return message;
}
