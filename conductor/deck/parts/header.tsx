import { span } from "../format.ts";
import { link, place, signOut, status, viewer } from "../state.ts";

const LINKS = [
  ["", "Overview"],
  ["events", "Events"],
  ["logs", "Logs"],
  ["traces", "Traces"],
  ["metrics", "Metrics"],
] as const;
const AUDIT = [["audit", "Audit"]] as const;

export function Header() {
  const view = status.value;
  const live = link.value === "live";
  return (
    <header class="top">
      <a class="brand" href="#/">skr8tr</a>
      <nav aria-label="Pages">
        {[...LINKS, ...viewer.value.audit ? AUDIT : []].map(([path, text]) => (
          <a href={`#/${path}`} aria-current={(place.value[0] ?? "") === path ? "page" : undefined}>
            {text}
          </a>
        ))}
      </nav>
      <p class="facts" role="status">
        <span class={`dot ${live ? "good" : "bad"}`} />
        {live && view
          ? `${view.nodes.length} nodes, ${view.apps.length} apps, log at ${view.sequence}, up ${
            span(view.conductor.upMs)
          }`
          : link.value === "broken"
          ? "the conductor does not answer; what runs runs on"
          : "connecting"}
      </p>
      {viewer.value.operator
        ? (
          <button type="button" onClick={signOut} title={viewer.value.operator}>
            Sign out {viewer.value.operator.replace("sso:", "").slice(0, 12)}
          </button>
        )
        : null}
      <button type="button" onClick={swapTheme} aria-label="Change between light and dark">
        ◐
      </button>
    </header>
  );
}

function swapTheme(): void {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("deck.theme", dataset.theme);
  } catch {
    // Storage is forbidden: it lasts until the page is left.
  }
  dispatchEvent(new Event("theme"));
}
