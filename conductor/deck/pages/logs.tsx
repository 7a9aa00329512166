// What the whole cluster writes, searched by words.

import { useState } from "preact/hooks";
import { Logs } from "../parts/logs.tsx";

export function LogsPage() {
  const [query, ask] = useState("");
  const search = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    ask(
      ["app", "grep"].map((name) => {
        const value = String(form.get(name) ?? "").trim();
        return value === "" ? "" : `&${name}=${encodeURIComponent(value)}`;
      }).join(""),
    );
  };
  return (
    <div class="tall">
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
      <Logs title="All apps" url={`/api/telemetry?lines=300&follow=1${query}`} />
    </div>
  );
}
