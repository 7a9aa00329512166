// The address bar: which place is shown, and how to go to another. Links are plain <a href>; clicks
// on those within the shop are taken here.

import { signal } from "@preact/signals";
import { keep, recall } from "./storage.ts";

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
  /** Which entry of the history this is; scroll positions are kept by it. */
  readonly entry: string;
  /** How it was reached: decides about scroll and focus. */
  readonly by: "load" | "link" | "history" | "refine";
}

history.scrollRestoration = "manual";
const scrolls = new Map<string, number>(restoreScrolls());

export const place = signal<Place>(here("load"));

function here(by: Place["by"]): Place {
  const state = history.state as { entry?: string } | null;
  const entry = state?.entry ?? crypto.randomUUID().slice(0, 8);
  if (!state?.entry) history.replaceState({ entry }, "");
  return { path: location.pathname, query: new URLSearchParams(location.search), entry, by };
}

/**
 * Goes to a path within the shop. `refine`: the same page with other filters, where neither scroll
 * nor focus should jump. `replace`: "back" skips the place that is left.
 */
export function go(to: string, how: { refine?: boolean; replace?: boolean } = {}): void {
  const entry = crypto.randomUUID().slice(0, 8);
  if (how.replace) history.replaceState({ entry }, "", to);
  else history.pushState({ entry }, "", to);
  place.value = here(how.refine ? "refine" : "link");
}

/** Where a place was scrolled to when it was left, px; 0 if it is new. */
export function scrollOf(entry: string): number {
  return scrolls.get(entry) ?? 0;
}

addEventListener("popstate", () => {
  const next = here("history");
  // Only the fragment differs (the skip link): the browser has done what is needed.
  if (next.path === place.value.path && String(next.query) === String(place.value.query)) return;
  place.value = next;
});
addEventListener("scroll", () => scrolls.set(place.value.entry, scrollY), { passive: true });
addEventListener("pagehide", () => {
  keep(sessionStorage, "market.scrolls", JSON.stringify([...scrolls].slice(-50)));
});

function restoreScrolls(): [string, number][] {
  try {
    return JSON.parse(recall(sessionStorage, "market.scrolls") ?? "[]");
  } catch {
    return [];
  }
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = linkOf(event);
  if (!link) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash, { refine: link.dataset.refine !== undefined });
});

/** The shop's own link that an event happened on, if any. */
export function linkOf(event: Event): HTMLAnchorElement | undefined {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target !== "" || link.hasAttribute("download")) return undefined;
  if (link.origin !== location.origin || link.pathname.startsWith("/api/")) return undefined;
  // A fragment of the page that is shown (the skip link) is the browser's own business.
  const here = link.pathname === location.pathname && link.search === location.search;
  return here && link.hash !== "" ? undefined : link;
}
