// Waiting until a node is drained, with its progress.

import { Failure } from "../core/errors.ts";
import type { NodeDetailView } from "../core/view.ts";
import type { Conductor } from "./conductor.ts";
import { harmless, type Output } from "./output.ts";

/** What cannot move is given up on after this long without any change, ms. */
const STUCK_MS = 5_000;
const WATCH_AGAIN_MS = 200;

/**
 * Follows the node until nothing is placed there but what lives with a volume. Resolves to whether
 * it is empty; `false` where the rest cannot move, with the reasons told.
 */
export async function waitDrained(
  conductor: Conductor,
  node: string,
  output: Pick<Output, "print" | "note">,
  json = false,
): Promise<boolean> {
  const path = `/api/nodes/${encodeURIComponent(node)}?watch=1`;
  let last: NodeDetailView | undefined;
  let told = "";
  for (;;) {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isStuck = false;
    try {
      for await (const view of conductor.lines<NodeDetailView>(path, stop.signal)) {
        last = view;
        clearTimeout(timer);
        if (view.node.bar !== "draining") {
          throw new Failure("refused", `${node} is not being drained any more`);
        }
        const left = view.placed.filter((each) => !each.home);
        const line = left.length === 0
          ? ""
          : harmless(`${node}: ${left.length} left: ${deedsOf(left)}`);
        if (line !== told && line !== "") output.note(line);
        told = line;
        if (left.length === 0) return tellEnd(view, output, json);
        // Drains and starts take their time; only what says why it stays is stuck.
        if (left.every((each) => each.stays !== undefined && !each.leaving)) {
          timer = setTimeout(() => {
            isStuck = true;
            stop.abort();
          }, STUCK_MS);
        }
      }
    } catch (error) {
      // The conductor may be restarting; what it has accepted it still knows then.
      if (!(error instanceof Failure) || error.code !== "unreachable" || !last) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (isStuck && last) return tellEnd(last, output, json);
    await new Promise((again) => setTimeout(again, WATCH_AGAIN_MS));
  }
}

type Placed = NodeDetailView["placed"][number];

/** What each of them does: `web.1 leaves, web.2 waits for its replacement`. */
function deedsOf(placed: readonly Placed[]): string {
  const deeds = placed.slice(0, 8).map(({ replica, leaving, stays }) =>
    `${replica} ${leaving ? "leaves" : stays ?? "waits for its replacement"}`
  );
  const more = placed.length > 8 ? [`${placed.length - 8} more`] : [];
  return [...deeds, ...more].join(", ");
}

function namesOf(placed: readonly Placed[]): string {
  const names = placed.slice(0, 8).map((each) => each.replica).join(" ");
  return placed.length > 8 ? `${names} and ${placed.length - 8} more` : names;
}

function tellEnd(
  { node, placed }: NodeDetailView,
  output: Pick<Output, "print" | "note">,
  json: boolean,
): boolean {
  const drained = placed.length === 0;
  const tell = (text: string) =>
    output.print(
      json ? JSON.stringify({ node: node.name, drained, left: placed.length }) : text,
    );
  if (drained) {
    tell(`${node.name} is drained: nothing runs there`);
    return true;
  }
  for (const { replica, stays } of placed) {
    output.note(harmless(`${replica} stays${stays === undefined ? "" : `: ${stays}`}`));
  }
  tell(`${node.name} is drained but for ${placed.length}: ${namesOf(placed)}`);
  return false;
}
