// Search in what the whole cluster wrote.

import { useState } from "preact/hooks";
import type { LogView } from "../../../core/view.ts";
import { clock } from "../format.ts";

type Found = readonly LogView[] | string | null;

export function LogsPage() {
  const [found, show] = useState<Found>(null);
  const search = async (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const query = new URLSearchParams({ lines: "300" });
    for (const name of ["app", "grep"]) {
      const value = String(form.get(name) ?? "").trim();
      if (value !== "") query.set(name, value);
    }
    show(await lookFor(query));
  };
  return (
    <>
      <h1>Logs</h1>
      <form class="search" onSubmit={search}>
        <label>
          Text <input type="search" name="grep" />
        </label>
        <label>
          App <input type="search" name="app" />
        </label>
        <button type="submit">Search</button>
      </form>
      {typeof found === "string" && <p class="card problems">{found}</p>}
      {Array.isArray(found) && (
        <div class="card log" tabindex={0} role="region" aria-label="Lines that were found">
          {found.length === 0 && <p class="hush">Nothing was found.</p>}
          {found.map((line: LogView) => (
            <div>
              <time>{clock(line.wallMs)}</time> <b>{line.replica}</b> {line.line}
            </div>
          ))}
        </div>
      )}
    </>
  );
}

async function lookFor(query: URLSearchParams): Promise<Found> {
  try {
    const response = await fetch(`/api/telemetry?${query}`);
    const text = await response.text();
    if (!response.ok) return JSON.parse(text).error ?? text;
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  } catch (error) {
    return `the conductor does not answer: ${(error as Error).message}`;
  }
}
