import { useState } from "preact/hooks";
import { EventList } from "../parts/events.tsx";
import { events } from "../state.ts";

export function EventsPage() {
  const [sought, seek] = useState("");
  const words = sought.toLowerCase();
  const found = events.value.filter((event) =>
    words === "" || `${event.kind} ${event.text}`.toLowerCase().includes(words)
  );
  return (
    <>
      <h1>Events</h1>
      <label class="search">
        <span>Search the latest {events.value.length}</span>
        <input
          type="search"
          value={sought}
          onInput={(event) => seek(event.currentTarget.value)}
        />
      </label>
      <EventList events={found.slice(0, 200)} />
    </>
  );
}
