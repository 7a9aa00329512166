// Shows the page of the current place: loads it, swaps it in, and puts scroll and focus where a
// reader expects them.

import type { FunctionComponent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { findRoute } from "../lib/router.ts";
import { NOT_FOUND, type Page, type Route, ROUTES } from "../routes.ts";
import { linkOf, type Place, place, scrollOf } from "../state/navigation.ts";
import type { PageProps } from "./page.tsx";

interface Shown {
  readonly Component: FunctionComponent<PageProps>;
  readonly params: Readonly<Record<string, string>>;
  readonly at: Place;
}

const loaded = new Map<Route, Page>();
let innerStyles: Promise<void> | undefined;

export function Outlet() {
  const at = place.value;
  const [shown, show] = useState<Shown>();
  const [failed, fail] = useState(false);
  const main = useRef<HTMLElement>(null);

  useEffect(() => {
    const { route, params } = findRoute(ROUTES, at.path) ?? { route: NOT_FOUND, params: {} };
    const swap = (page: Page) => {
      fail(false);
      show({ Component: page.default, params, at });
    };
    const ready = loaded.get(route);
    if (ready) return swap(ready);
    let left = false;
    loadPage(route).then(
      (page) => {
        if (!left) swap(page);
      },
      async () => {
        if (left || await reloaded() || left) return;
        fail(true);
      },
    );
    return () => {
      left = true;
    };
  }, [at]);

  useLayoutEffect(() => {
    if (!shown || shown.at.by === "refine") return;
    if (shown.at.by === "link") main.current?.focus({ preventScroll: true });
    return scrollWhenReady(shown.at.by === "link" ? 0 : scrollOf(shown.at.entry));
  }, [shown]);

  return (
    <main id="main" tabIndex={-1} ref={main} aria-busy={shown?.at !== at}>
      {shown?.at !== at && !failed && <div class="progress" />}
      {failed && (
        <div class="failed wide" role="alert">
          <p>This page could not be loaded. The connection may have been lost.</p>
          <button type="button" class="button" onClick={() => location.reload()}>Reload</button>
        </div>
      )}
      {!failed && shown && <shown.Component key={shown.at.path} params={shown.params} />}
    </main>
  );
}

async function loadPage(route: Route): Promise<Page> {
  if (route.inner) innerStyles ??= loadStyles();
  const [page] = await Promise.all([route.load(), route.inner ? innerStyles : undefined]);
  loaded.set(route, page);
  return page;
}

/** The inner pages' style sheet; its hashed name stands in the document. */
function loadStyles(): Promise<void> {
  return new Promise((resolve) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = document.querySelector<HTMLMetaElement>("meta[name=inner-styles]")?.content ?? "";
    // A page without its styles is still a page.
    sheet.onload = sheet.onerror = () => resolve();
    document.head.append(sheet);
  });
}

/** Waits between the questions whether the shop is there again, ms. */
const ANSWER_WAITS_MS = [0, 500, 1_500, 3_000];
/** Two reloads for the same reason within this time would go on for ever, ms. */
const RELOAD_AGAIN_MS = 30_000;

/**
 * A new release of the shop has other file names, so a page opened before it no longer finds its
 * parts: one reload fetches the new release. But only once the shop answers: a page that says what
 * is wrong is better than the browser's own.
 */
async function reloaded(): Promise<boolean> {
  const state = history.state as { reloadedMs?: number } | null;
  const tried = Date.now() - (state?.reloadedMs ?? 0) < RELOAD_AGAIN_MS;
  if (tried || !await shopAnswers()) return false;
  history.replaceState({ ...history.state, reloadedMs: Date.now() }, "");
  location.reload();
  return true;
}

async function shopAnswers(): Promise<boolean> {
  for (const wait of ANSWER_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const response = await fetch(location.href, { cache: "no-store" }).catch(() => undefined);
    if (response?.ok) return true;
  }
  return false;
}

/** How long a page may take to grow to where it is to be scrolled, ms. */
const SCROLL_MS = 1_500;

/**
 * Scrolls to the address's fragment, else to `y`, as soon as the page has it. Stops when the
 * reader scrolls, or when the page does not get there in time.
 */
function scrollWhenReady(y: number): () => void {
  const fragment = location.hash.slice(1);
  const deadline = performance.now() + SCROLL_MS;
  let frame = 0;
  const attempt = () => {
    const target = fragment === "" ? null : document.getElementById(fragment);
    if (target) return target.scrollIntoView({ behavior: "instant" });
    if (fragment === "") scrollTo({ top: y, behavior: "instant" });
    const there = fragment === "" && Math.abs(scrollY - y) < 2;
    if (!there && performance.now() < deadline) frame = requestAnimationFrame(attempt);
  };
  const stop = () => cancelAnimationFrame(frame);
  addEventListener("wheel", stop, { once: true, passive: true });
  addEventListener("touchmove", stop, { once: true, passive: true });
  attempt();
  return stop;
}

// A page is fetched when the pointer or the keyboard comes near its link, not when it is clicked.
for (const kind of ["pointerover", "focusin"]) {
  addEventListener(kind, (event) => {
    const link = linkOf(event);
    const found = link && findRoute(ROUTES, link.pathname);
    if (found && !loaded.has(found.route)) loadPage(found.route).catch(() => undefined);
  }, { passive: true });
}
