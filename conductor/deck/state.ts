/** What the deck knows: the conductor's stream as signals. */

import { computed, signal } from "@preact/signals";
import type {
  DeckMessages,
  DeckSample,
  DeckSignOut,
  DeckViewer,
  LoadsView,
} from "../../core/deck_view.ts";
import { withChanges } from "../../core/status_changes.ts";
import type { EventView, NodeView, StatusView } from "../../core/view.ts";

/** As many as small charts show. */
const SAMPLES = 60;
const EVENTS = 500;

/** `asking`: not connected yet; `refused`: a session is needed. */
export const link = signal<"asking" | "live" | "broken" | "refused">("asking");
export const viewer = signal<DeckViewer>({ audit: false });
export const status = signal<StatusView | null>(null);
/** How all nodes were loaded before the samples, coarse. */
export const loads = signal<LoadsView>({ wallMs: [], nodes: {} });
/** What came lately, oldest first. */
export const samples = signal<readonly DeckSample[]>([]);
/** Newest first. */
export const events = signal<readonly EventView[]>([]);
/** Grows every second, for times that are shown as "ago". */
export const nowMs = signal(Date.now());
/** Where the reader is: the words after `#/`. */
export const place = signal<readonly string[]>(placeOf());

export const lastSample = computed(() => samples.value.at(-1));

function placeOf(): readonly string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
}

/** Begins to listen, for as long as the page is open. */
export async function start(): Promise<void> {
  setInterval(() => nowMs.value = Date.now(), 1_000);
  await redeemLink();
  addEventListener("hashchange", () => {
    place.value = placeOf();
    scrollTo(0, 0);
  });
  place.value = placeOf();
  connect();
}

/** `skr8tr deck` opens the page with a token in its fragment: it is handed in and forgotten. */
async function redeemLink(): Promise<void> {
  const token = /^#([0-9a-f]{64})$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", "/deck");
  await fetch("/deck/session", { method: "POST", body: token }).catch(() => {});
}

export async function signOut(): Promise<void> {
  const response = await fetch("/deck/session", { method: "DELETE" }).catch(() => null);
  // Who came in by an issuer's word is signed out there, too.
  if (response?.status === 200) location.assign((await response.json() as DeckSignOut).next);
  else location.reload();
}

function connect(): void {
  const stream = new EventSource("/deck/stream");
  const on = <K extends keyof DeckMessages>(name: K, take: (message: DeckMessages[K]) => void) =>
    stream.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent).data)));
  on("history", (history) => {
    link.value = "live";
    viewer.value = history.viewer;
    loads.value = history.loads;
    samples.value = history.sample ? [history.sample] : [];
    events.value = history.events.toReversed();
  });
  on("status", (whole) => know(whole));
  on("changes", (changes) => status.value && know(withChanges(status.value, changes)));
  on("sample", (sample) => samples.value = [...samples.value.slice(1 - SAMPLES), sample]);
  on("event", (event) => events.value = [event, ...events.value.slice(0, EVENTS - 1)]);
  stream.onerror = () => {
    if (link.value !== "refused") link.value = "broken";
    if (stream.readyState !== EventSource.CLOSED) return;
    // The browser has given up: an answer that was no stream. A later try may find it better.
    void askWhy();
    setTimeout(connect, 2_000);
  };
}

/** When each node was told of: how long it has been silent goes on from there. */
const toldMs = new WeakMap<NodeView, number>();

function know(fresh: StatusView): void {
  for (const node of fresh.nodes) if (!toldMs.has(node)) toldMs.set(node, Date.now());
  status.value = fresh;
}

/** How long a node has not been heard, in ms. */
export function silenceOf(node: NodeView): number {
  return node.silentMs + Math.max(0, nowMs.value - (toldMs.get(node) ?? nowMs.value));
}

/** How much of a node's memory is free, as the last sample has it. */
export function freeBytesOf(node: NodeView): number {
  const used = lastSample.value?.nodes[node.name]?.ramPercent;
  return used === undefined ? node.ramFreeBytes : node.ramTotalBytes * (1 - used / 100);
}

async function askWhy(): Promise<void> {
  const stop = new AbortController();
  try {
    const { status } = await fetch("/deck/stream", { signal: stop.signal });
    link.value = status === 401 || status === 403 ? "refused" : "broken";
  } catch {
    link.value = "broken";
  }
  stop.abort();
}
