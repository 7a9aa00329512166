// What every page does: name itself, and show a heading of its own.

import "./common.ts";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { announce } from "../state/notices.ts";
import { place } from "../state/navigation.ts";

export interface PageProps {
  readonly params: Readonly<Record<string, string>>;
}

/** Names the page in the tab and, after navigating, to screen readers. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    if (title === undefined) return;
    document.title = `${title} · SovereignMarket`;
    if (place.peek().by === "link" || place.peek().by === "history") announce(title);
  }, [title]);
}

/** A friendly dead end: nothing here, and where to go from it. */
export function Empty(
  props: {
    title: string;
    text: string;
    /** Whether this is all there is on the page: its title is then the page's heading. */
    page?: boolean;
    children?: ComponentChildren;
  },
) {
  return (
    <div class="empty">
      <svg class="empty-mark" viewBox="0 0 64 64" aria-hidden="true">
        <path d="M12 22h40l-4 32H16ZM24 28v-8a8 8 0 0 1 16 0v8" />
      </svg>
      {props.page ? <h1>{props.title}</h1> : <h2>{props.title}</h2>}
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}

/** Where a page stands, as links. The last is the page itself. */
export function Crumbs(
  props: { trail: readonly { readonly text: string; readonly href?: string }[] },
) {
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>
        {props.trail.map(({ text, href }) => (
          <li key={text}>
            {href ? <a href={href}>{text}</a> : <span aria-current="page">{text}</span>}
          </li>
        ))}
      </ol>
    </nav>
  );
}
