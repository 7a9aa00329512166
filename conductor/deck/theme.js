// Runs before the first paint, so that the theme does not flash; parts/header.tsx changes it.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("deck.theme");
  } catch {
    // Storage is forbidden: the system's wish it is.
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = chosen === "dark" || chosen === "light" ? chosen : dark ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
}
