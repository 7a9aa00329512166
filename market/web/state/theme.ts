// Light or dark: the system's wish until the shopper chooses. `theme.js` has applied it before the
// first paint.

import { signal } from "@preact/signals";
import { keep, recall } from "./storage.ts";

export type Theme = "light" | "dark";

const KEY = "market.theme";
const root = document.documentElement;

export const theme = signal<Theme>(root.dataset.theme === "dark" ? "dark" : "light");

/** Chooses the other theme and remembers it. */
export function toggleTheme(): void {
  show(theme.value === "dark" ? "light" : "dark");
  keep(localStorage, KEY, theme.value);
}

function show(next: Theme): void {
  theme.value = next;
  root.dataset.theme = next;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
  if (recall(localStorage, KEY) === null) show(matches ? "dark" : "light");
});
